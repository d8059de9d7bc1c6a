#include "api/openapi.hpp"

#include "api/api.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>

using namespace concur;

namespace json = boost::json;

TEST_CASE("openapi_document names the routes that there are, and their methods") {
  std::set<std::string> routes;
  for (const Route& route : Api::routes()) {
    routes.insert(std::string(route.method).append(" ").append(route.pattern.text()));
  }
  const std::string_view text = openapi_document();
  const json::value document = json::parse({text.data(), text.size()});
  std::set<std::string> described;
  for (const auto& path : document.at("paths").as_object()) {
    for (const auto& operation : path.value().as_object()) {
      std::string method(operation.key());
      if (method == "parameters") continue;
      for (char& c : method) c = static_cast<char>(c - 'a' + 'A');
      described.insert(method + " " + std::string(path.key()));
    }
  }
  CHECK(described == routes);
}

TEST_CASE("openapi_document names what each path has in braces") {
  const std::string_view text = openapi_document();
  const json::value document = json::parse({text.data(), text.size()});
  for (const Route& route : Api::routes()) {
    CAPTURE(route.pattern.text());
    std::size_t named = 0;
    for (const auto segment : route.pattern.segments()) named += segment.starts_with('{') ? 1 : 0;
    const auto& path =
        document.at("paths").at({route.pattern.text().data(), route.pattern.text().size()});
    const json::value* parameters = path.as_object().if_contains("parameters");
    std::size_t described = 0;
    if (parameters != nullptr) {
      for (const auto& parameter : parameters->as_array()) {
        described += parameter.as_object().contains("$ref") ? 1 : 0;
      }
    }
    CHECK(described == named);
  }
}
