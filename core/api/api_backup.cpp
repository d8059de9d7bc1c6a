// The route that gives a copy of the database.
#include "api/answer_json.hpp"
#include "api/api.hpp"
#include "api/file_stream.hpp"
#include "api/parameters.hpp"

#include <memory>
#include <utility>

namespace concur {

void Api::backup(const Call& call, Respond respond) {
  const auto local = switch_of(call.target, "local");
  if (!local) return respond(to_response(local.error()));
  auto reply = [respond = std::move(respond)](Result<Fd> copy) {
    if (!copy) return respond(to_response(copy.error()));
    respond(
        {200, {}, "application/vnd.sqlite3", {}, std::make_shared<FileStream>(std::move(*copy))});
  };
  if (*local) return service_.backup_local(std::move(reply));
  service_.backup(std::move(reply));
}

}  // namespace concur
