#include "service/rebuilder.hpp"

#include <utility>
#include <vector>

namespace concur {

namespace {

constexpr int kRestAfterFailure = 4;  // times as long as the attempt that failed took

}  // namespace

void Rebuilder::begin(const Now& now) {
  if (now.instant < not_before_) return;
  committer_.begin_anew();
  began_ = now.instant;
  cursor_ = {};
  first_ = true;
  step();
}

void Rebuilder::step() {
  committer_.refuse_waiting();
  std::vector<Change> part;
  const bool more = registry_.copy_some(cursor_, kStep, part);
  committer_.write_anew(std::move(part), {std::exchange(first_, false), !more},
                        [this, more](const Result<void>& done) {
                          if (done && more) return step();
                          end(done.has_value());
                        });
}

void Rebuilder::end(bool worked) {
  const Instant now = clock_.now().instant;
  if (!worked) not_before_ = now + kRestAfterFailure * (now - began_);
}

}  // namespace concur
