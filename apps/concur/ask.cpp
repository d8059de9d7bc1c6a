#include "ask.hpp"

#include "base/text.hpp"
#include "output.hpp"

namespace concur::cli {

Result<HttpAnswer> ask(Client& client, const char* verb, const Request& request) {
  auto answer = client.request(request.method, request.target, request.body, request.wait);
  if (answer && (!answer->json || answer->body.empty())) {
    return Error{
        ErrorKind::kCorrupt,
        text::format("cannot {}: the answer is not concurrencyd's, it is not JSON; name the "
                     "daemon's socket with --socket",
                     verb)};
  }
  return answer;
}

Result<ExitCode> pass_on(const char* verb, const HttpAnswer& answer, bool continues_session) {
  auto written = write_output(answer.body);
  if (written && !answer.body.ends_with('\n')) written = write_output("\n");
  if (!written) return std::move(written).error();
  if (answer.status >= 500 && answer.status != 501) {
    return Error{ErrorKind::kUnavailable,
                 text::format("cannot {}: the daemon answered {}", verb, answer.status)};
  }
  return exit_code_of(answer.status, continues_session);
}

}  // namespace concur::cli
