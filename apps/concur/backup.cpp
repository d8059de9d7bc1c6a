#include "backup.hpp"

#include "ask.hpp"
#include "new_file.hpp"
#include "output.hpp"
#include "request.hpp"

#include <poll.h>

#include <algorithm>
#include <climits>
#include <utility>

namespace concur::cli {

namespace {

// The daemon copies the database first, which takes as long as it is large.
constexpr Millis kCopyTime = std::chrono::minutes(10);

// Waits for the next piece of the answer, and reads it.
Result<void> receive(ClientStream& stream, Millis timeout) {
  pollfd entry{.fd = stream.fd(), .events = stream.events(true), .revents = 0};
  const Millis patience = stream.answered() ? timeout : std::max(timeout, kCopyTime);
  const auto most = static_cast<int>(std::min<Millis::rep>(patience.count(), INT_MAX));
  if (::poll(&entry, 1, most) == 0) return no_answer_within(patience, stream.path());
  return stream.advance(true);
}

}  // namespace

Result<ExitCode> run_backup(Client& client, const Backup& backup) {
  NewFile file(backup.file, NewFile::Name::kFree);
  if (auto opened = file.open(); !opened) return std::move(opened).error();
  const Request request = request_of(backup);
  auto stream = client.open(request.method, request.target, ClientStream::Body::kNone);
  if (!stream) return std::move(stream).error();
  std::string refusal;
  while (!stream->done()) {
    if (auto received = receive(*stream, client.timeout()); !received) {
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
  }
  if (stream->status() != 200) {
    return pass_on(Backup::kVerb, {stream->status(), true, std::move(refusal)}, false);
  }
  if (auto committed = file.commit(); !committed) return std::move(committed).error();
  if (auto told = write_output(file.answer()); !told) return std::move(told).error();
  return ExitCode::kDone;
}

}  // namespace concur::cli
