#include "net/browser_guard.hpp"

#include "net/tcp_address.hpp"

#include <boost/beast/core/string.hpp>

namespace concur {

namespace {

// "https://ops.example:8443" of "ops.example:8443".
bool is_of_host(std::string_view origin, const std::optional<std::string_view>& host) {
  const std::size_t scheme = origin.find("://");
  if (!host || host->empty() || scheme == std::string_view::npos) return false;
  return boost::beast::iequals(origin.substr(scheme + 3), *host);
}

}  // namespace

std::optional<std::string_view> refuse_page(const Credentials& credentials, Vouched vouched) {
  const BrowserFields& browser = credentials.browser;
  if (!browser.origin && !browser.site) return std::nullopt;
  // A link of another site leads there too; what anybody may read, it may show.
  const bool by_person = !browser.origin && (browser.site == "none" || browser.navigates);
  const bool may_person = credentials.entrance == Entrance::kOpen || vouched == Vouched::kByKey;
  if (by_person && may_person) return std::nullopt;
  const bool by_own_page = (!browser.origin || is_of_host(*browser.origin, credentials.host)) &&
                           (!browser.site || browser.site == "same-origin");
  if (by_own_page) return std::nullopt;
  return "a browser sends it on behalf of a page, and this is not for pages";
}

bool is_local_host(const std::optional<std::string_view>& host) {
  return !host || host->find('.') == std::string_view::npos || is_loopback_host(*host);
}

}  // namespace concur
