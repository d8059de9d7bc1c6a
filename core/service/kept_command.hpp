#pragma once

#include "session/command.hpp"

#include <memory>
#include <string>
#include <type_traits>
#include <variant>

namespace concur {

// A command about one user that outlives the request it came with.
class KeptCommand {
 public:
  explicit KeptCommand(const Command& command)
      : texts_(std::make_unique<Texts>()), command_(command) {
    std::visit([this](auto& each) { keep_all(each); }, command_);
  }

  const Command& get() const { return command_; }
  bool is_start() const { return std::holds_alternative<Start>(command_); }

 private:
  struct Texts {
    std::string user;
    std::string session;
    std::string other;
  };

  static void keep(Id& id, std::string& text) {
    text = id.text();
    id = id.in(text);
  }

  template <class Kind>
  void keep_all(Kind& command) {
    if constexpr (requires { command.user; }) {
      if constexpr (std::is_same_v<Kind, Purge>) {
        if (command.user) keep(*command.user, texts_->user);
      } else {
        keep(command.user, texts_->user);
      }
    }
    if constexpr (requires { command.session; }) keep(command.session, texts_->session);
    if constexpr (requires { command.replace; }) {
      if (command.replace) keep(*command.replace, texts_->other);
    }
    if constexpr (std::is_same_v<Kind, SetLimit>) {
      if (command.plan && *command.plan) keep(**command.plan, texts_->other);
    } else if constexpr (requires { command.plan; }) {
      keep(command.plan, texts_->other);
    }
  }

  std::unique_ptr<Texts> texts_;
  Command command_;
};

}  // namespace concur
