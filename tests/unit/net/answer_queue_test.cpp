#include "net/answer_queue.hpp"

#include "support/streams.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

using namespace concur;
using test::FakeSource;
using Progress = AnswerQueue::Progress;
using State = BodySource::State;

namespace {

Response response_of(std::string body) {
  Response response;
  response.body = std::move(body);
  return response;
}

Response streamed(const std::shared_ptr<FakeSource>& source) {
  Response response;
  response.source = source;
  return response;
}

// What is to be sent now; and it is.
std::string take(AnswerQueue& queue, Progress expected = Progress::kWaiting) {
  CHECK(queue.pull() == expected);
  std::string all(queue.unsent());
  queue.sent(all.size());
  return all;
}

// The bodies alone, of answers that have a length.
std::string bodies(std::string_view text) {
  std::string all;
  for (std::size_t at = text.find("\r\n\r\n"); at != std::string_view::npos;
       at = text.find("\r\n\r\n")) {
    text.remove_prefix(at + 4);
    all += text.substr(0, text.find("HTTP/1.1"));
  }
  return all;
}

std::string body_of(const std::string& answer) {
  return answer.substr(answer.find("\r\n\r\n") + 4);
}

}  // namespace

TEST_CASE("AnswerQueue gives answers in the order of the requests, in whichever they come") {
  std::array<std::size_t, 4> order{0, 1, 2, 3};
  do {
    AnswerQueue queue;
    std::vector<AnswerQueue::Number> numbers;
    for (std::size_t i = 0; i < order.size(); ++i) numbers.push_back(queue.add({}));
    std::string got;
    for (const std::size_t i : order) {
      const bool first = queue.first() == numbers[i];
      CHECK(queue.put(numbers[i], response_of(std::string(1, static_cast<char>('a' + i)))) ==
            first);
      const std::string now = take(queue);
      CHECK(now.empty() != first);
      got += now;
    }
    CHECK(bodies(got) == "abcd");
    CHECK(queue.empty());
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("AnswerQueue") {
  AnswerQueue queue;
  const auto source = std::make_shared<FakeSource>();

  SUBCASE("collects whole answers before they are to be sent, so that there is room") {
    queue.put(queue.add({}), response_of("a"));
    CHECK(queue.first() == 0);
    queue.collect();
    CHECK(queue.first() > 0);
    CHECK_FALSE(queue.empty());
    CHECK(queue.unsent().ends_with("a"));
  }
  SUBCASE("keeps what was not sent") {
    queue.put(queue.add({}), response_of("a"));
    queue.collect();
    const std::string all(queue.unsent());
    queue.sent(10);
    CHECK(queue.unsent() == all.substr(10));
    queue.put(queue.add({}), response_of("b"));
    queue.collect();
    CHECK(bodies(queue.unsent()) == "ab");
  }
  SUBCASE("says where the connection ends behind an answer") {
    queue.put(queue.add({.keep_alive = false}), response_of("a"));
    CHECK(take(queue).find("Connection: close\r\n") != std::string::npos);
    const auto number = queue.add({});
    queue.put(number, response_of("a"));
    queue.close_behind(number);
    CHECK(take(queue).find("Connection: close\r\n") != std::string::npos);
  }
  SUBCASE("leaves the body out of an answer to HEAD, and says how long it is") {
    queue.put(queue.add({.head_only = true}), response_of("abc"));
    const std::string answer = take(queue);
    CHECK(answer.find("Content-Length: 3\r\n") != std::string::npos);
    CHECK(body_of(answer).empty());
    source->text = "never read";
    queue.put(queue.add({.head_only = true}), streamed(source));
    CHECK(body_of(take(queue)).empty());
    CHECK(queue.empty());
    CHECK(source.use_count() == 1);
  }
  SUBCASE("gives what a source has, in chunks, and its end") {
    const auto number = queue.add({});
    const auto next = queue.add({});
    queue.put(next, response_of("next"));
    source->text = "one";
    queue.put(number, streamed(source));
    CHECK(queue.streams());
    CHECK(body_of(take(queue)) == "3\r\none\r\n");
    source->give("two", State::kEnd);
    const std::string rest = take(queue);
    CHECK(rest.starts_with("3\r\ntwo\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"));
    CHECK(rest.ends_with("next"));
    CHECK_FALSE(queue.streams());
  }
  SUBCASE("gives it as it is to a client that knows no chunks") {
    source->text = "one";
    source->behind = State::kEnd;
    queue.put(queue.add({.keep_alive = false, .chunks = false}), streamed(source));
    CHECK(body_of(take(queue)) == "one");
  }
  SUBCASE("reads a source no further than what it gave is taken") {
    source->text = std::string(200'000, 'x');
    source->behind = State::kEnd;
    queue.put(queue.add({}), streamed(source));
    CHECK(queue.pull() == Progress::kMore);
    const std::size_t left = source->text.size();
    CHECK(left > 100'000);
    CHECK(queue.pull() == Progress::kMore);
    CHECK(source->text.size() == left);
    queue.sent(10'000);
    CHECK(queue.pull() == Progress::kMore);
    CHECK(source->text.size() < left);
    CHECK(source->text.size() >= left - 10'100);
  }
  SUBCASE("says where a source cannot go on") {
    source->behind = State::kBroken;
    queue.put(queue.add({}), streamed(source));
    CHECK(queue.pull() == Progress::kBroken);
  }
  SUBCASE("has no room behind an answer that may have no end") {
    queue.put(queue.add({}), response_of("a"));
    CHECK(queue.has_room());
    queue.put(queue.add({}), streamed(source));
    CHECK_FALSE(queue.has_room());
    CHECK_FALSE(queue.streams());
    take(queue);
    CHECK(queue.streams());
    source->give("", State::kEnd);
    take(queue);
    CHECK(queue.has_room());
  }
  SUBCASE("has room for so many answers and so many bytes, ready or not, sent or not") {
    for (std::size_t i = 0; i < AnswerQueue::kMaxPlaces; ++i) {
      CHECK(queue.has_room());
      queue.add({});
    }
    CHECK_FALSE(queue.has_room());
    queue.put(1, response_of(std::string(AnswerQueue::kMaxBytes, 'x')));
    queue.put(0, response_of("a"));
    queue.collect();
    CHECK_FALSE(queue.has_room());
    take(queue);
    CHECK(queue.has_room());
    queue.put(3, response_of(std::string(AnswerQueue::kMaxBytes, 'x')));
    CHECK_FALSE(queue.has_room());
  }
  SUBCASE("gives leave to send a body when its turn comes") {
    const auto first = queue.add({});
    const auto second = queue.add({.expects_continue = true});
    queue.put(second, streamed(source));
    CHECK(take(queue).empty());
    CHECK(queue.awaits_continue());
    queue.put(first, response_of("a"));
    const std::string both = take(queue);
    CHECK(both.find("aHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n") != std::string::npos);
    CHECK_FALSE(queue.awaits_continue());
  }
  SUBCASE("gives no leave before an answer that is whole") {
    queue.put(queue.add({.expects_continue = true}), response_of("a"));
    CHECK(take(queue).starts_with("HTTP/1.1 200 OK\r\n"));
  }
  SUBCASE("has sources come to their end when the daemon stops, also those that come later") {
    queue.put(queue.add({}), streamed(source));
    queue.drain();
    CHECK(source->drained);
    const auto later = std::make_shared<FakeSource>();
    queue.put(queue.add({}), streamed(later));
    CHECK(later->drained);
  }
  SUBCASE("counts what it holds, and holds nothing once it is told to drop it") {
    const std::size_t empty = queue.memory();
    const auto first = queue.add({});
    queue.put(queue.add({}), response_of(std::string(100'000, 'x')));
    CHECK(queue.memory() > empty + 100'000);
    queue.put(first, response_of(std::string(100'000, 'y')));
    queue.drop_texts();
    queue.clear();
    CHECK(queue.first() > 0);
    CHECK(queue.unsent().empty());
  }
}
