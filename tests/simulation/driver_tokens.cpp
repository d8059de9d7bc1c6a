// The driver's part about the tokens of starts. The model has its own: which is which shows in the
// answers.
#include "base/text.hpp"
#include "driver.hpp"

#include <iterator>
#include <variant>
#include <vector>

namespace concur::simulation {

// --- asking ---

void Driver::add_token(Command& command, Command& to_model) {
  const auto add = [this](auto& each, auto& of_model) {
    if (!random_.one_in(2)) return;
    const auto token = any_token(std::string(each.user.text()), std::string(each.session.text()));
    if (!token) return;
    each.start = token->real;
    of_model.start = token->model;
  };
  if (auto* start = std::get_if<Start>(&command)) {
    add(*start, std::get<Start>(to_model));
  } else if (auto* beat = std::get_if<Heartbeat>(&command)) {
    add(*beat, std::get<Heartbeat>(to_model));
  } else if (auto* end = std::get_if<End>(&command)) {
    add(*end, std::get<End>(to_model));
  }
}

// One of which it is clear what must come of it.
std::optional<Driver::Token> Driver::any_token(const std::string& user,
                                               const std::string& session) {
  const auto latest = model_.latest(user, session);
  std::vector<Token> all;
  for (const auto& [id, tokens] : tokens_) {
    if (tokens.user != user || tokens.session != session) continue;
    for (const auto& [count, real] : tokens.starts) {
      const Token token{real, {id, count}};
      if (is_clear(token, latest)) all.push_back(token);
    }
  }
  if (all.empty()) return std::nullopt;
  if (random_.one_in(2)) return all.back();
  return all[random_.below(all.size())];
}

bool Driver::is_clear(const Token& token, const std::optional<Model::Latest>& latest) {
  if (!latest) return true;
  if (token.model.id == latest->start.id) {
    return !latest->is_unsure || token.model.count >= latest->start.count;
  }
  // Ids follow the wall clock where nothing stands in the way, and that may have been set back.
  const auto found = tokens_.find(latest->start.id);
  if (found == tokens_.end() || found->second.starts.empty()) return false;
  const std::uint64_t real = found->second.starts.begin()->second.id;
  return (token.real.id < real) == (token.model.id < latest->start.id) && token.real.id != real;
}

// --- hearing ---

void Driver::hear_token(const Asked& asked, const Granted& granted) {
  const auto* of_model = std::get_if<Granted>(&asked.given.answer);
  if (of_model == nullptr) return;
  Token token{granted.start, of_model->start};
  if (asked.start_is_unsure) {
    // One of those that there were; or one that nobody was told of, behind one that was.
    std::optional<std::uint32_t> before;
    bool known = false;
    const auto& starts = tokens_[token.model.id].starts;
    for (const auto& [count, real] : starts) {
      if (real > token.real) break;
      before = count;
      known = real == token.real;
    }
    if (before) {
      token.model.count = known ? *before : *before + 1;
    } else if (!starts.empty()) {
      token.model.count = 0;  // before the first that anybody was told of
    }
    if (token.model.count > of_model->start.count) fail("a start that was never: " + asked.command);
    model_.settle_start(token.model);
    ++met_[token.model == of_model->start ? "start found again" : "start forgotten"];
  }
  learn_token(token, granted);
}

void Driver::learn_token(const Token& token, const Granted& granted) {
  Tokens& tokens = tokens_[token.model.id];
  tokens.user = granted.user;
  tokens.session = granted.session;
  const auto [at, is_new] = tokens.starts.try_emplace(token.model.count, token.real);
  const auto next = std::next(at);
  const bool right = at->second == token.real &&
                     (at == tokens.starts.begin() || std::prev(at)->second < token.real) &&
                     (next == tokens.starts.end() || token.real < next->second) &&
                     tokens.starts.begin()->second.id == token.real.id;
  if (!right) {
    fail(text::format("the wrong token: {} for start {} of {}/{}, known as {}",
                      StartTokenText(token.real).view(), token.model.count, granted.user,
                      granted.session, StartTokenText(at->second).view()));
  }
  if (is_new && token.model.count > 0) ++met_["another start"];
  constexpr std::size_t kKept = 400;
  if (tokens_.size() > kKept) tokens_.erase(tokens_.begin());
}

// Whether it is known which start was refused depends on when somebody looked: tokens of that name
// are asked about no more.
void Driver::forget_tokens_of_refused() {
  for (const auto& [name, who] : model_.state().users) {
    for (const auto& [session, gone] : who.gone) {
      if (gone.reason != EndReason::kDenied) continue;
      std::erase_if(tokens_, [&](const auto& each) {
        return each.second.user == name && each.second.session == session;
      });
    }
  }
}

// What a crash may make the service forget. Where times are known only roughly, so are the tokens
// that come of them.
void Driver::forget_starts() {
  for (const auto& [name, who] : model_.state().users) {
    for (const Model::Session& session : who.sessions) {
      Model::Lease& lease = model_.lease(session.id);
      const bool all_stored = was_clean_ && !lied_ && !lease.is_unsure && !session.is_loose;
      lease.start_is_unsure = lease.start_is_unsure || !all_stored;
      lease.start = lease.start_is_unsure ? lease.last_start : lease.start;
      if (session.is_loose) tokens_.erase(static_cast<std::uint64_t>(session.id));
    }
  }
}

}  // namespace concur::simulation
