#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/intrusive/list.hpp>

#include <array>
#include <cassert>
#include <cstddef>

namespace concur {

// What is done once in a turn of the loop, however often it is asked for, and in which order: a
// turn begins with what arrived (the poller reads and parses all of it), then end() runs the
// stages, each for all who asked before the next one begins. Outside of a turn, whoever asks first
// has one posted. For the thread that leads the loop alone.
//
// The commit is the last stage, because the loop may change threads under it (LoopRunner): while a
// commit made in place hangs on the disk, another thread takes further turns. So no function of a
// turn may touch anything behind its commit; what the commit leads to is a turn of its own, begun
// by conclude().
class Turn {
 public:
  enum class Stage {
    kDecide,   // the requests that have arrived
    kPublish,  // what was decided: wakes those who read events
    kSend,     // answers, to all clients that have any
    kCommit,   // what was decided and is not durable; what waits for that is sent by conclude()
  };

  // Something to be done in a stage. To ask for it twice is to ask for it once; a step that is
  // destroyed leaves the queue. To queue it takes no memory.
  class Step : public boost::intrusive::list_base_hook<
                   boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
   public:
    Step(const Step&) = delete;
    Step& operator=(const Step&) = delete;
    virtual void run() = 0;
    bool is_queued() const { return is_linked(); }
    void cancel() { unlink(); }

   protected:
    Step() = default;
    ~Step() = default;
  };

  // The loop must outlive it, and must not run behind its end.
  explicit Turn(boost::asio::io_context& loop) : loop_(loop) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  boost::asio::io_context& loop() { return loop_; }

  // Runs the step in this turn where its stage is still to come; else in the next turn, which comes
  // soon.
  void at(Stage stage, Step& step) {
    if (step.is_queued()) return;
    waiting_[index_of(stage)].push_back(step);
    if (index_of(stage) < next_stage_) post();
  }

  // A turn: `begin`, then the stages. Called by a handler of the loop as the last thing that it
  // does.
  template <class Begin>
  void run(Begin begin) {
    assert(next_stage_ == kOutside);
    next_stage_ = 0;
    begin();
    end();
  }

  // What a commit leads to: `begin`, then publishing and sending. What is to be decided or
  // committed further waits for the next turn, so that commits do not nest. Called by whatever
  // gets a commit's outcome, whether behind the turn that made it or in a handler of its own.
  template <class Begin>
  void conclude(Begin begin) {
    assert(next_stage_ == kOutside);
    next_stage_ = index_of(Stage::kPublish);
    begin();
    end_conclusion();
  }

 private:
  using Steps = boost::intrusive::list<Step, boost::intrusive::constant_time_size<false>>;

  static constexpr std::size_t kStages = 4;
  static constexpr std::size_t kOutside = kStages;  // no stage is still to come

  static constexpr std::size_t index_of(Stage stage) { return static_cast<std::size_t>(stage); }

  void end();
  void end_conclusion();
  void run_stage(Stage stage);
  void post();

  boost::asio::io_context& loop_;
  std::array<Steps, kStages> waiting_;
  Steps running_;                      // what is left of the stage under way
  std::size_t next_stage_ = kOutside;  // the first stage that is still to come in this turn
  bool posted_ = false;                // a turn
};

// A step that calls a member function of whoever owns it.
template <auto kFunction, class Owner>
class OwnStep final : public Turn::Step {
 public:
  explicit OwnStep(Owner& owner) : owner_(owner) {}
  void run() override { (owner_.*kFunction)(); }

 private:
  Owner& owner_;
};

}  // namespace concur
