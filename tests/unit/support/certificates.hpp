#pragma once

#include "support/temp_folder.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <string>

namespace concur::test {

// Makes keys and certificates, as PEM files in a folder of its own: an authority's, and what it
// signs.
class Certificates {
 public:
  struct Files {
    std::string cert;
    std::string key;
  };

  Certificates() : ca_key_(make_key()) {
    X509* const ca = make("An authority", ca_key_.get(), nullptr, 3600, "");
    ca_.reset(ca);
    ca_file_ = write("ca.pem", [ca](std::FILE* file) { return PEM_write_X509(file, ca); });
  }

  const std::string& ca() const { return ca_file_; }

  // For "DNS:localhost" or "IP:127.0.0.1", over as many seconds from now; negative ones are over.
  Files sign(const std::string& name, const std::string& whom, long seconds = 3600) {
    const Key key = make_key();
    const std::unique_ptr<X509, void (*)(X509*)> cert(
        make(name.c_str(), key.get(), ca_.get(), seconds, whom), X509_free);
    return {
        write(name + ".pem", [&cert](std::FILE* file) { return PEM_write_X509(file, cert.get()); }),
        write(name + ".key", [&key](std::FILE* file) {
          return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        })};
  }

 private:
  using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;

  static Key make_key() { return {EVP_EC_gen("P-256"), EVP_PKEY_free}; }

  static void extend(X509* cert, int what, const std::string& value) {
    X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str());
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
  }

  X509* make(const char* name, EVP_PKEY* key, X509* by, long seconds, const std::string& whom) {
    X509* const cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(cert), seconds < 0 ? seconds * 2 : -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), seconds);
    X509_set_pubkey(cert, key);
    X509_NAME* const subject = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    X509_set_issuer_name(cert, by == nullptr ? subject : X509_get_subject_name(by));
    if (by == nullptr) extend(cert, NID_basic_constraints, "critical,CA:TRUE");
    if (!whom.empty()) extend(cert, NID_subject_alt_name, whom);
    X509_sign(cert, ca_key_.get(), EVP_sha256());
    return cert;
  }

  template <class Write>
  std::string write(const std::string& name, Write write_to) {
    const std::string path = folder_.file(name);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "w"),
                                                               std::fclose);
    if (!file || write_to(file.get()) != 1) throw std::runtime_error("cannot write " + path);
    return path;
  }

  TempFolder folder_;
  Key ca_key_;
  std::unique_ptr<X509, void (*)(X509*)> ca_{nullptr, X509_free};
  std::string ca_file_;
  long serial_ = 0;
};

}  // namespace concur::test
