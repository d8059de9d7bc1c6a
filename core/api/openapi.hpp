#pragma once

#include <string_view>

namespace concur {

// The description of the API, OpenAPI 3.1 in JSON: the file openapi.json, to the byte.
std::string_view openapi_document();

}  // namespace concur
