// A server's bytes: the same replies come of them whole and split, or the same end does; none is
// beyond its bounds; and what is read can be looked at as whatever the client might take it for.
//
// The first byte of an input says in what pieces the bytes arrive.
#include "engine/reply.hpp"
#include "engine/refusal.hpp"
#include "engine/scripts.hpp"
#include "engine/topology.hpp"

#include "support/claim.hpp"
#include "support/fuzz_target.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

using namespace concur::engine;
using concur::fuzz::claim;

namespace {

struct Read {
  std::vector<Reply> replies;
  bool failed = false;

  bool operator==(const Read&) const = default;
};

Read read_in_pieces(std::string_view bytes, std::size_t piece) {
  Read read;
  ReplyReader reader;
  while (!bytes.empty() && !read.failed) {
    reader.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(bytes.size(), piece));
    while (auto reply = reader.next()) read.replies.push_back(std::move(*reply));
    read.failed = !reader.failure().empty();
  }
  claim(!read.failed || !reader.feed(":1\r\n"), "what has failed takes no more");
  claim(!read.failed || !reader.next(), "and gives no more");
  return read;
}

std::size_t elements_of(const Reply& reply) {
  std::size_t elements = 1;
  for (const Reply& element : reply.elements) elements += elements_of(element);
  return elements;
}

void look_at(Reply reply) {
  const Address from{"10.0.0.1", 6379};
  claim(elements_of(reply) <= ReplyReader::kMaxElements, "a reply has so many elements at most");
  claim(reply.is_array() || reply.elements.empty(), "only arrays have elements");
  if (const auto topology = Topology::parse(reply, from)) {
    claim(topology->primaries().size() + topology->replicas().size() <= kMaxServers,
          "a topology has so many servers at most");
    for (const Address& primary : topology->primaries()) {
      const auto parsed = parse_address(to_text(primary));
      claim(parsed && *parsed == primary, "a server has an address that can be dialled");
    }
  }
  if (reply.is_error()) {
    if (const auto redirect = parse_redirect(reply.text, from)) {
      const auto parsed = parse_address(to_text(redirect->to));
      claim(parsed && *parsed == redirect->to && redirect->slot < kSlots, "so has a redirect");
    }
    refusal_of(reply.text);
  }
  parse_role(reply);
  Reply copy = reply;
  parse_change(copy);
  parse_read(reply);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  const Read whole = read_in_pieces(bytes, SIZE_MAX);
  claim(read_in_pieces(bytes, 1U + data[0] % 16U) == whole, "pieces make no difference");
  for (const Reply& reply : whole.replies) look_at(reply);
  return 0;
}
