#pragma once

#include "base/result.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <string>

namespace concur::engine {

// What is used of OpenSSL. It is loaded when a fleet stands behind TLS: for all others its
// libraries would take half a megabyte and most of the start.
#define CONCUR_OPENSSL_FUNCTIONS(EACH)     \
  EACH(BIO_ctrl_pending)                   \
  EACH(BIO_new)                            \
  EACH(BIO_read)                           \
  EACH(BIO_s_mem)                          \
  EACH(BIO_write)                          \
  EACH(ERR_clear_error)                    \
  EACH(ERR_peek_error)                     \
  EACH(ERR_reason_error_string)            \
  EACH(SSL_CTX_ctrl)                       \
  EACH(SSL_CTX_free)                       \
  EACH(SSL_CTX_load_verify_file)           \
  EACH(SSL_CTX_new)                        \
  EACH(SSL_CTX_set_default_verify_paths)   \
  EACH(SSL_CTX_set_verify)                 \
  EACH(SSL_CTX_use_PrivateKey_file)        \
  EACH(SSL_CTX_use_certificate_chain_file) \
  EACH(SSL_ctrl)                           \
  EACH(SSL_do_handshake)                   \
  EACH(SSL_free)                           \
  EACH(SSL_get0_param)                     \
  EACH(SSL_get_error)                      \
  EACH(SSL_get_verify_result)              \
  EACH(SSL_new)                            \
  EACH(SSL_read)                           \
  EACH(SSL_set1_host)                      \
  EACH(SSL_set_bio)                        \
  EACH(SSL_set_connect_state)              \
  EACH(SSL_write)                          \
  EACH(TLS_client_method)                  \
  EACH(X509_VERIFY_PARAM_set1_ip_asc)      \
  EACH(X509_verify_cert_error_string)

struct OpenSsl {
#define CONCUR_OPENSSL_POINTER(name) decltype(&::name) name = nullptr;
  CONCUR_OPENSSL_FUNCTIONS(CONCUR_OPENSSL_POINTER)
#undef CONCUR_OPENSSL_POINTER

  // What the last call that failed says, as a cause.
  std::string cause() const;
};

// The same each time, for the rest of the program. kInvalid where it is not installed.
Result<const OpenSsl*> load_openssl();

}  // namespace concur::engine
