// The route that gives a copy of the database.
#include "api/answer_json.hpp"
#include "api/api.hpp"
#include "api/file_stream.hpp"

#include <memory>
#include <utility>

namespace concur {

void Api::backup(const Call&, Respond respond) {
  service_.backup([respond = std::move(respond)](Result<Fd> copy) {
    if (!copy) return respond(to_response(copy.error()));
    respond(
        {200, {}, "application/vnd.sqlite3", {}, std::make_shared<FileStream>(std::move(*copy))});
  });
}

}  // namespace concur
