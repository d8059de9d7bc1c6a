#pragma once

#include "base/result.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace concur::engine {

// PEM files; an empty path is none.
struct TlsFiles {
  std::string ca;  // whom to believe; the system's where there is none
  std::string cert;
  std::string key;
};

// Whom TLS believes, and as whom it presents itself. TLS 1.2 at least.
struct TlsSettings;
using TlsContext = std::shared_ptr<const TlsSettings>;
// kInvalid where a file cannot be used: `cannot use <path>: <cause>`.
Result<TlsContext> load_tls(const TlsFiles& files);

// The client's side of one connection, which turns bytes into bytes: those of the network are
// carried by its owner.
class TlsSession {
 public:
  // The server's certificate must name that host or address.
  TlsSession(TlsContext context, const std::string& host);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;
  ~TlsSession();

  // What the server sent.
  void take(std::string_view bytes);
  // Appends what is to be sent to it, also of what follows.
  void put(std::string& bytes);

  enum class State { kDone, kWantsMore, kFailed };
  // kWantsMore: of what the server sends. Once it is kDone the rest may be called.
  State shake_hands();
  // kDone: there are `size` bytes of what the server says, at least one.
  State read(char* into, std::size_t most, std::size_t& size);
  State write(std::string_view text);

  // Why it failed, as a cause.
  const std::string& failure() const { return failure_; }

 private:
  State state_after(int result);

  struct Parts;
  TlsContext context_;
  std::unique_ptr<Parts> parts_;
  std::string failure_;
};

}  // namespace concur::engine
