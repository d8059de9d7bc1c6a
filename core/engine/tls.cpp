#include "engine/tls.hpp"

#include "base/text.hpp"
#include "engine/openssl.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <climits>
#include <utility>

namespace concur::engine {

// --- whom it believes ---

struct TlsSettings {
  explicit TlsSettings(const OpenSsl& library)
      : openssl(library), context(library.SSL_CTX_new(library.TLS_client_method())) {
    openssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, nullptr);
    openssl.SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  TlsSettings(const TlsSettings&) = delete;
  TlsSettings& operator=(const TlsSettings&) = delete;
  ~TlsSettings() { openssl.SSL_CTX_free(context); }

  const OpenSsl& openssl;
  SSL_CTX* const context;
};

Result<TlsContext> load_tls(const TlsFiles& files) {
  const auto loaded = load_openssl();
  if (!loaded) return loaded.error();
  const OpenSsl& openssl = **loaded;
  auto settings = std::make_shared<const TlsSettings>(openssl);
  SSL_CTX* const context = settings->context;
  openssl.ERR_clear_error();
  const auto refuse = [&openssl](const std::string& path) {
    return Error{ErrorKind::kInvalid, text::format("cannot use {}: {}", path, openssl.cause())};
  };
  if (files.ca.empty()) {
    openssl.SSL_CTX_set_default_verify_paths(context);
    openssl.ERR_clear_error();
  } else if (openssl.SSL_CTX_load_verify_file(context, files.ca.c_str()) != 1) {
    return refuse(files.ca);
  }
  if (!files.cert.empty() &&
      openssl.SSL_CTX_use_certificate_chain_file(context, files.cert.c_str()) != 1) {
    return refuse(files.cert);
  }
  if (!files.key.empty() &&
      openssl.SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return refuse(files.key);
  }
  return TlsContext(std::move(settings));
}

// --- one connection ---

struct TlsSession::Parts {
  SSL* ssl = nullptr;
  BIO* in = nullptr;   // both are the session's
  BIO* out = nullptr;  //
};

TlsSession::TlsSession(TlsContext context, const std::string& host)
    : context_(std::move(context)), parts_(std::make_unique<Parts>()) {
  const OpenSsl& openssl = context_->openssl;
  parts_->ssl = openssl.SSL_new(context_->context);
  parts_->in = openssl.BIO_new(openssl.BIO_s_mem());
  parts_->out = openssl.BIO_new(openssl.BIO_s_mem());
  openssl.SSL_set_bio(parts_->ssl, parts_->in, parts_->out);
  openssl.SSL_set_connect_state(parts_->ssl);
  boost::system::error_code no_literal;
  boost::asio::ip::make_address(host, no_literal);
  if (no_literal) {
    openssl.SSL_set1_host(parts_->ssl, host.c_str());
    // The name that the server is to choose its certificate by is for names alone (RFC 6066,
    // section 3). As the macro SSL_set_tlsext_host_name() has it, which casts in C's way.
    openssl.SSL_ctrl(parts_->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                     const_cast<char*>(host.c_str()));
  } else {
    openssl.X509_VERIFY_PARAM_set1_ip_asc(openssl.SSL_get0_param(parts_->ssl), host.c_str());
  }
}

TlsSession::~TlsSession() { context_->openssl.SSL_free(parts_->ssl); }

// What is in memory takes and gives as much as there is.
void TlsSession::take(std::string_view bytes) {
  while (!bytes.empty()) {
    const int most = static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX));
    const int taken = context_->openssl.BIO_write(parts_->in, bytes.data(), most);
    if (taken <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(taken));
  }
}

void TlsSession::put(std::string& bytes) {
  const std::size_t before = bytes.size();
  const std::size_t size = context_->openssl.BIO_ctrl_pending(parts_->out);
  if (size == 0) return;
  bytes.resize(before + size);
  const int given = context_->openssl.BIO_read(
      parts_->out, bytes.data() + before, static_cast<int>(std::min<std::size_t>(size, INT_MAX)));
  bytes.resize(before + static_cast<std::size_t>(std::max(given, 0)));
}

TlsSession::State TlsSession::state_after(int result) {
  if (result > 0) return State::kDone;
  const OpenSsl& openssl = context_->openssl;
  const int why = openssl.SSL_get_error(parts_->ssl, result);
  if (why == SSL_ERROR_WANT_READ) return State::kWantsMore;
  const long verdict = openssl.SSL_get_verify_result(parts_->ssl);
  if (why == SSL_ERROR_ZERO_RETURN) {
    failure_ = "it closed the connection";
  } else if (verdict != X509_V_OK) {
    failure_ = text::format("its certificate is not accepted: {}",
                            openssl.X509_verify_cert_error_string(verdict));
  } else {
    failure_ = openssl.cause();
  }
  openssl.ERR_clear_error();
  return State::kFailed;
}

TlsSession::State TlsSession::shake_hands() {
  context_->openssl.ERR_clear_error();
  return state_after(context_->openssl.SSL_do_handshake(parts_->ssl));
}

TlsSession::State TlsSession::read(char* into, std::size_t most, std::size_t& size) {
  context_->openssl.ERR_clear_error();
  const int result = context_->openssl.SSL_read(
      parts_->ssl, into, static_cast<int>(std::min<std::size_t>(most, INT_MAX)));
  size = static_cast<std::size_t>(std::max(result, 0));
  return state_after(result);
}

TlsSession::State TlsSession::write(std::string_view text) {
  context_->openssl.ERR_clear_error();
  while (!text.empty()) {
    const int result = context_->openssl.SSL_write(
        parts_->ssl, text.data(), static_cast<int>(std::min<std::size_t>(text.size(), INT_MAX)));
    const State state = state_after(result);
    if (state != State::kDone) return state;
    text.remove_prefix(static_cast<std::size_t>(result));
  }
  return State::kDone;
}

}  // namespace concur::engine
