#include "backup.hpp"

#include "ask.hpp"
#include "net/connect.hpp"
#include "new_file.hpp"
#include "output.hpp"
#include "request.hpp"
#include "work_watch.hpp"

#include <poll.h>

#include <algorithm>
#include <climits>
#include <optional>
#include <utility>

namespace concur::cli {

namespace {

// The daemon copies the database first, which takes as long as it is large.
constexpr Millis kCopyTime = std::chrono::minutes(10);

// Waits for the next piece of the answer, and reads it.
Result<void> receive(ClientStream& stream, Millis timeout, WorkWatch& watch) {
  const Millis patience = stream.answered() ? timeout : std::max(timeout, kCopyTime);
  const Deadline deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    pollfd entries[] = {{.fd = stream.fd(), .events = stream.events(true), .revents = 0},
                        {.fd = watch.fd(), .events = POLLIN, .revents = 0}};
    const auto left = left_until(deadline).count();
    ::poll(entries, 2, static_cast<int>(std::min<Millis::rep>(left, INT_MAX)));
    if (entries[0].revents != 0) return stream.advance(true);
    if (entries[1].revents != 0) watch.look();
    if (left == 0) return no_answer_within(patience, stream.path());
  }
}

}  // namespace

Result<ExitCode> run_backup(Client& client, const Backup& backup) {
  NewFile file(backup.file, NewFile::Name::kFree);
  if (auto opened = file.open(); !opened) return std::move(opened).error();
  const Request request = request_of(backup);
  auto stream = client.open(request.method, request.target, ClientStream::Body::kNone);
  if (!stream) return std::move(stream).error();
  std::string refusal;
  std::optional<WorkWatch> watch(std::in_place, client.paths(), "backup");
  while (!stream->done()) {
    if (auto received = receive(*stream, client.timeout(), *watch); !received) {
      return std::move(received).error();
    }
    if (!stream->answered()) continue;
    const std::string part = stream->take_body();
    if (stream->status() != 200) {
      refusal += part;
    } else if (stream->json()) {
      return Error{ErrorKind::kCorrupt, "cannot back up: the answer is not concurrencyd's"};
    } else if (auto written = file.write(part); !written) {
      return std::move(written).error();
    }
    watch->here({.what = "receiving the copy", .done = file.size(), .total = watch->total()});
  }
  watch.reset();
  if (stream->status() != 200) {
    return pass_on(Backup::kVerb, {stream->status(), true, std::move(refusal)}, false);
  }
  if (auto committed = file.commit(); !committed) return std::move(committed).error();
  if (auto told = write_output(file.answer()); !told) return std::move(told).error();
  return ExitCode::kDone;
}

}  // namespace concur::cli
