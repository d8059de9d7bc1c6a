// The routes about users whom operators keep out.
#include "api/answer_json.hpp"
#include "api/api.hpp"
#include "api/input.hpp"
#include "api/parameters.hpp"
#include "api/request_body.hpp"

#include <utility>

namespace concur {

void Api::show_block(const Call& call, Respond respond) {
  const auto user = Id::parse("user", call.names[0]);
  if (!user) return respond(to_response(user.error()));
  submit(ShowBlock{*user}, std::move(respond));
}

void Api::set_block(const Call& call, Respond respond) {
  const auto user = Id::parse("user", call.names[0]);
  if (!user) return respond(to_response(user.error()));
  auto body = parse_block_body(call.request.body);
  if (!body) return respond(to_response(body.error()));
  submit(SetBlock{*user, body->length, std::move(body->message)}, std::move(respond));
}

void Api::unblock(const Call& call, Respond respond) {
  const auto user = Id::parse("user", call.names[0]);
  if (!user) return respond(to_response(user.error()));
  submit(Unblock{*user}, std::move(respond));
}

void Api::list_blocks(const Call& call, Respond respond) {
  const auto most = page_size(call.target);
  if (!most) return respond(to_response(most.error()));
  submit(ListBlocks{page_after(call.target), *most}, std::move(respond));
}

}  // namespace concur
