#include "net/in_buffer.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <string_view>

using namespace concur;

namespace {

void add(InBuffer& buffer, std::string_view text, std::size_t room = 0) {
  std::memcpy(buffer.space(std::max(room, text.size())), text.data(), text.size());
  buffer.commit(text.size());
}

}  // namespace

TEST_CASE("InBuffer") {
  InBuffer buffer;
  CHECK(buffer.empty());
  add(buffer, "abcdef", 8);

  SUBCASE("is written at the back and taken from the front") {
    buffer.consume(2);
    CHECK(buffer.data() == "cdef");
    add(buffer, "gh");
    CHECK(buffer.data() == "cdefgh");
    buffer.consume(6);
    CHECK(buffer.empty());
  }
  SUBCASE("grows where there is no room, and not where what was taken leaves some") {
    add(buffer, "ghijkl");
    CHECK(buffer.data() == "abcdefghijkl");
    const std::size_t room = buffer.capacity();
    buffer.consume(10);
    add(buffer, "mnopqrst");
    CHECK(buffer.data() == "klmnopqrst");
    CHECK(buffer.capacity() == room);
  }
  SUBCASE("gives back room beyond a bound, once it is empty") {
    buffer.shrink(4);
    CHECK(buffer.data() == "abcdef");
    buffer.clear();
    buffer.shrink(8);
    CHECK(buffer.capacity() == 8);
    buffer.shrink(4);
    CHECK(buffer.capacity() == 0);
    add(buffer, "x");
    CHECK(buffer.data() == "x");
  }
}
