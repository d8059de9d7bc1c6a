#include "api/error_response.hpp"

#include "api/json_writer.hpp"

namespace concur {

int status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalid:
      return 400;
    case ErrorKind::kForbidden:
      return 403;
    case ErrorKind::kAbsent:
      return 404;
    case ErrorKind::kUnavailable:
    case ErrorKind::kTimeout:
      return 503;
    case ErrorKind::kUnsupported:
      return 501;
    case ErrorKind::kCorrupt:
    case ErrorKind::kInternal:
      break;
  }
  return 500;
}

std::string_view error_name(int status) {
  switch (status) {
    case 403:
      return "permission_denied";
    case 404:
    case 405:
      return "not_found";
    case 410:
      return "session_gone";
    case 429:
      return "too_many_requests";
    case 501:
      return "unsupported";
    case 503:
      return "unavailable";
    case 505:
      return "invalid_request";
    default:
      return status < 500 ? "invalid_request" : "internal";
  }
}

Response error_response(int status, std::string_view message) {
  Response response;
  response.status = status;
  JsonWriter(response.body)
      .begin_object()
      .field("error", error_name(status))
      .field("message", message)
      .end_object()
      .end_line();
  if (status == 503) response.headers = kRetrySoon;
  return response;
}

Response error_response(const Error& error) {
  return error_response(status_of(error.kind), error.message);
}

}  // namespace concur
