#include "engine/reply.hpp"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>

#include <limits>
#include <new>
#include <utility>

namespace concur::engine {

// Builds one reply in place. What hiredis gets are pointers into it: an element's is of use only
// while its own elements come, during which the vector that it lies in does not grow.
struct ReplyReader::Builder {
  Reply reply;
  std::size_t elements = 0;

  static Builder& of(const redisReadTask* task) { return *static_cast<Builder*>(task->privdata); }

  // Null, which ends the reading, where there are too many.
  static Reply* add(const redisReadTask* task) {
    Builder& builder = of(task);
    if (++builder.elements > kMaxElements) return nullptr;
    if (task->parent == nullptr) return &(builder.reply = Reply());
    return &static_cast<Reply*>(task->parent->obj)->elements.emplace_back();
  }

  static Reply* add(const redisReadTask* task, Reply::Kind kind) {
    Reply* const added = add(task);
    if (added != nullptr) added->kind = kind;
    return added;
  }

  static void* add_text(const redisReadTask* task, char* bytes, std::size_t size) {
    Reply::Kind kind = Reply::Kind::kText;
    if (task->type == REDIS_REPLY_STATUS) {
      kind = Reply::Kind::kStatus;
    } else if (task->type == REDIS_REPLY_ERROR) {
      kind = Reply::Kind::kError;
    } else if (task->type != REDIS_REPLY_STRING) {
      return nullptr;  // RESP3
    }
    Reply* const added = add(task, kind);
    if (added != nullptr) added->text.assign(bytes, size);
    return added;
  }

  // How far arrays nest is not bounded by each version of hiredis, and what nests without end could
  // not even be destroyed.
  static bool is_too_deep(const redisReadTask* task) {
    std::size_t depth = 0;
    for (const redisReadTask* each = task->parent; each != nullptr; each = each->parent) ++depth;
    return depth >= kMaxDepth;
  }

  // The count's type differs by hiredis' version. It is what the server says will come, so that
  // nothing is made ready for it.
  template <class Count>
  static void* add_array(const redisReadTask* task, Count count) {
    if (task->type != REDIS_REPLY_ARRAY) return nullptr;  // RESP3
    if (is_too_deep(task)) return nullptr;
    if (count < Count{} || static_cast<std::size_t>(count) > kMaxElements) return nullptr;
    return add(task, Reply::Kind::kArray);
  }

  static void* add_integer(const redisReadTask* task, long long integer) {
    Reply* const added = add(task, Reply::Kind::kInteger);
    if (added != nullptr) added->integer = integer;
    return added;
  }

  static void* add_nil(const redisReadTask* task) { return add(task, Reply::Kind::kNil); }
};

namespace {

// From hiredis 1.0 on there are kinds of RESP3, which no server sends unasked.
template <class Functions>
void refuse_new_kinds(Functions& functions) {
  if constexpr (requires { functions.createDouble; }) {
    functions.createDouble = [](const redisReadTask*, double, char*, std::size_t) -> void* {
      return nullptr;
    };
  }
  if constexpr (requires { functions.createBool; }) {
    functions.createBool = [](const redisReadTask*, int) -> void* { return nullptr; };
  }
}

}  // namespace

void ReplyReader::Deleter::operator()(redisReader* reader) const { redisReaderFree(reader); }

ReplyReader::ReplyReader() : builder_(std::make_unique<Builder>()) {
  static redisReplyObjectFunctions functions = [] {
    redisReplyObjectFunctions made{};
    made.createString = &Builder::add_text;
    made.createArray = &Builder::add_array;
    made.createInteger = &Builder::add_integer;
    made.createNil = &Builder::add_nil;
    made.freeObject = [](void*) {};  // the builder owns all of it
    refuse_new_kinds(made);
    return made;
  }();
  reader_.reset(redisReaderCreateWithFunctions(&functions));
  if (!reader_) throw std::bad_alloc();
  reader_->privdata = builder_.get();
}

ReplyReader::~ReplyReader() = default;

bool ReplyReader::feed(std::string_view bytes) {
  if (!failure_.empty()) return false;
  unread_ += bytes.size();
  if (unread_ > kMaxBytes) {
    failure_ = "its answer is too large";
  } else if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) {
    failure_ = reader_->errstr;
  }
  return failure_.empty();
}

std::optional<Reply> ReplyReader::next() {
  if (!failure_.empty()) return std::nullopt;
  void* whole = nullptr;
  if (redisReaderGetReply(reader_.get(), &whole) != REDIS_OK) {
    failure_ = builder_->elements > kMaxElements ? "its answer is too large"
                                                 : "its answer is not of its protocol, RESP2";
    return std::nullopt;
  }
  if (whole == nullptr) return std::nullopt;
  builder_->elements = 0;
  unread_ = reader_->len - reader_->pos;
  return std::exchange(builder_->reply, Reply());
}

void append_command(std::string& out, std::span<const std::string_view> words) {
  // Kept, so that a command takes no memory for them.
  thread_local std::vector<const char*> texts;
  thread_local std::vector<std::size_t> sizes;
  texts.clear();
  sizes.clear();
  for (const std::string_view word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* command = nullptr;
  const auto size =
      redisFormatCommandArgv(&command, static_cast<int>(words.size()), texts.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  out.append(command, static_cast<std::size_t>(size));
  redisFreeCommand(command);
}

}  // namespace concur::engine
