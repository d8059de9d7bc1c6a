#include "engine/openssl.hpp"

#include "base/text.hpp"

#include <dlfcn.h>

#include <bit>
#include <cstring>

namespace concur::engine {

namespace {

#define CONCUR_TEXT_OF(number) #number
#define CONCUR_LIBRARY(number) "libssl.so." CONCUR_TEXT_OF(number)
constexpr const char* kLibrary = CONCUR_LIBRARY(OPENSSL_SHLIB_VERSION);
#undef CONCUR_LIBRARY
#undef CONCUR_TEXT_OF

Error cannot_load() {
  const char* const cause = ::dlerror();
  return {ErrorKind::kInvalid, text::format("cannot load OpenSSL, which TLS needs: {}",
                                            cause == nullptr ? kLibrary : cause)};
}

Result<OpenSsl> load() {
  OpenSsl functions;
  void* const library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return cannot_load();
#define CONCUR_OPENSSL_FIND(name)                                                    \
  functions.name = std::bit_cast<decltype(functions.name)>(::dlsym(library, #name)); \
  if (functions.name == nullptr) return cannot_load();
  CONCUR_OPENSSL_FUNCTIONS(CONCUR_OPENSSL_FIND)
#undef CONCUR_OPENSSL_FIND
  return functions;
}

}  // namespace

std::string OpenSsl::cause() const {
  const unsigned long error = ERR_peek_error();
  ERR_clear_error();
  if (error == 0) return "it is not what it should be";
  if (ERR_SYSTEM_ERROR(error)) return std::strerror(ERR_GET_REASON(error));
  const char* const reason = ERR_reason_error_string(error);
  return reason == nullptr ? text::format("error {:x}", error) : std::string(reason);
}

Result<const OpenSsl*> load_openssl() {
  static const Result<OpenSsl> kLoaded = load();
  if (!kLoaded) return kLoaded.error();
  return &*kLoaded;
}

}  // namespace concur::engine
