// Recurrent kernels against the plain reference, and their promises: the same bits alone, in company and in pieces.
#include "recurrent_case.h"

/// GR_ARCH of the build's kernels.
int kernels_capability();

namespace {

constexpr const char* kCells[] = {"Lstm", "Gru", "GruBefore"};
constexpr const char* kPaths[] = {"Persistent", "Step"};

/// Ragged runs over shuffled slots: some without events, some of one, lengths up to `longest`.
std::vector<Run> ragged(int count, int longest, int slots, unsigned seed, int& events) {
  Numbers numbers(seed);
  std::vector<Run> runs;
  std::vector<int> free(slots);
  for (int i = 0; i < slots; ++i) free[i] = i;
  events = 0;
  for (int i = 0; i < count; ++i) {
    const int at = numbers.below((int)free.size());
    const int length = i == 1 ? 0 : i == 2 ? 1 : i == 3 ? longest : numbers.below(longest + 1);
    runs.push_back({free[at], events, length});
    free.erase(free.begin() + at);
    events += length;
  }
  return runs;
}

/// What a rounding of h that falls the other way can cost over a few steps.
template <class T> constexpr double kTolerance = sizeof(T) == 4 ? 1e-5 : std::is_same_v<T, F16> ? 1e-3 : 6e-3;

template <class T> void check_states(const RecurrentCase<T>& test, const ExactBuffer<float>& got, const std::vector<double>& wanted, const char* what) {
  for (int s = 0; s < test.slots; ++s)
    for (int u = 0; u < test.hp; ++u) {
      const double due = u < test.hidden ? wanted[(size_t)s * test.hidden + u] : 0;
      check_close(got[(size_t)s * test.hp + u], due, u < test.hidden ? kTolerance<T> : 0, what, (size_t)s * test.hp + u);
    }
}

template <class T> void matches_reference(Cell cell, Path path, int hidden, int run_count, int longest, int behaviors, bool own_rows) {
  int events;
  const int slots = run_count + 3;
  const std::vector<Run> runs = ragged(run_count, longest, slots, 11, events);
  const RecurrentCase<T> test(cell, hidden, own_rows ? events : 37, behaviors, events, slots, 5);
  const ExactBuffer<float> h = test.device_state(test.h), c = test.device_state(test.c);
  const ExactBuffer<T> event_h((size_t)events * test.hp);
  test.advance(path, runs, h, c, event_h.data(), own_rows);
  std::vector<double> want_h = test.h, want_c = test.c, want_events((size_t)events * hidden);
  test.reference(runs, want_h, want_c, want_events, own_rows);
  check_states(test, h, want_h, "state_h");
  if (cell == Cell::Lstm) check_states(test, c, want_c, "state_c");
  for (int e = 0; e < events; ++e)
    for (int u = 0; u < test.hp; ++u) {
      const double due = u < hidden ? want_events[(size_t)e * hidden + u] : 0;
      check_close(value_of(event_h[(size_t)e * test.hp + u]), due, kTolerance<T> + std::fabs(due) * (sizeof(T) == 4 ? 0 : 4e-3), "hidden_events", (size_t)e * test.hp + u);
    }
}

/// One launch of all; each run in a launch of its own; everything cut in two: bit for bit the same.
template <class T> void gives_same_bits(Cell cell, Path path, int hidden, int run_count, int longest) {
  int events;
  const int slots = run_count + 1;
  const std::vector<Run> runs = ragged(run_count, longest, slots, 23, events);
  const RecurrentCase<T> test(cell, hidden, 19, 2, events, slots, 7);
  const ExactBuffer<T> event_h((size_t)events * test.hp);
  const ExactBuffer<float> h = test.device_state(test.h), c = test.device_state(test.c);
  test.advance(path, runs, h, c, event_h.data());

  const ExactBuffer<T> alone_events((size_t)events * test.hp);
  const ExactBuffer<float> alone_h = test.device_state(test.h), alone_c = test.device_state(test.c);
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) test.advance(path, {*run}, alone_h, alone_c, alone_events.data());
  if (!h.same_bits(alone_h) || !c.same_bits(alone_c)) fail_test("a run alone differs from the same run in company");
  if (!event_h.same_bits(alone_events)) fail_test("hidden_events of a run alone differ from those in company");

  const ExactBuffer<T> piece_events((size_t)events * test.hp);
  const ExactBuffer<float> piece_h = test.device_state(test.h), piece_c = test.device_state(test.c);
  std::vector<Run> first, second;
  for (const Run& run : runs) {
    const int half = (run.count + 1) / 2;
    first.push_back({run.slot, run.start, half});
    second.push_back({run.slot, run.start + half, run.count - half});
  }
  std::reverse(second.begin(), second.end());
  test.advance(path, first, piece_h, piece_c, piece_events.data());
  test.advance(path, second, piece_h, piece_c, piece_events.data());
  if (!h.same_bits(piece_h) || !c.same_bits(piece_c)) fail_test("two pieces differ from the whole");
}

template <class T> void add_matches(Cell cell, Path path, int hidden, int runs, int longest, int behaviors, bool own_rows, bool small) {
  add_test(std::string(kCells[(int)cell]) + kPaths[(int)path] + "_" + name_of<T> + "_H" + std::to_string(hidden) + "_R" + std::to_string(runs) + (own_rows ? "_OwnRows" : "") + (behaviors ? "" : "_NoBehaviors") + "_MatchesReference",
           small, [=] { matches_reference<T>(cell, path, hidden, runs, longest, behaviors, own_rows); });
}

template <class T> void add_bits(Cell cell, Path path, int hidden) {
  add_test(std::string(kCells[(int)cell]) + kPaths[(int)path] + "_" + name_of<T> + "_H" + std::to_string(hidden) + "_SameBitsAloneAndInCompany", false,
           [=] { gives_same_bits<T>(cell, path, hidden, path == Path::Step ? 35 : 10, 4); });
}

template <class T> void add_persistent(Cell cell) {
  // bf16 differs in arithmetic alone: one type is enough for ThreadSanitizer.
  add_matches<T>(cell, Path::Persistent, 64, 11, 5, 3, false, !std::is_same_v<T, Bf16>);
  add_matches<T>(cell, Path::Persistent, 128, 9, 4, 0, false, false);
  add_matches<T>(cell, Path::Persistent, 50, 8, 6, 2, true, false);
  add_bits<T>(cell, Path::Persistent, 64);
}

template <class T> void add_step(Cell cell, bool with_wide) {
  add_matches<T>(cell, Path::Step, 64, 5, 3, 3, false, std::is_same_v<T, F16> || (cell == Cell::Lstm && std::is_same_v<T, float>));
  add_matches<T>(cell, Path::Step, 33, 35, 3, 0, true, false);
  if (with_wide) add_matches<T>(cell, Path::Step, 256, 33, 2, 2, false, false);
  add_bits<T>(cell, Path::Step, 64);
}

/// Two layers: the lower's hidden states, projected, feed the upper, whose rows are its own.
template <class T> void projects(int gates, int inner, int hidden, int rows) {
  using Gate = typename GateOf<T>::type;
  Numbers numbers(31);
  const int hp = padded(hidden), kp = padded(inner);
  std::vector<Matrix> weights;
  for (int g = 0; g < gates; ++g) {
    Matrix m(hidden, inner);
    for (double& x : m.values) x = value_of(rounded<T>(numbers.real(0.3)));
    weights.push_back(m);
  }
  std::vector<T> packed;
  append_tiles<T>(packed, weights);
  std::vector<T> input;
  for (int r = 0; r < rows; ++r)
    for (int k = 0; k < kp; ++k) input.push_back(rounded<T>(k < inner ? numbers.real(1) : 0));
  std::vector<float> bias((size_t)hp * 4, 0.f);
  for (int u = 0; u < hidden; ++u)
    for (int g = 0; g < gates; ++g) bias[(size_t)u * 4 + g] = (float)numbers.real(1);
  if (std::is_same_v<Gate, F16>) bias[0] = 1e6f;  // past what f16 holds
  const ExactBuffer<T> weight_buffer(packed), input_buffer(input);
  const ExactBuffer<float> bias_buffer(bias);
  const ExactBuffer<Gate> out((size_t)rows * hp * 4);
  const gr_project_args args{weight_buffer.data(), input_buffer.data(), bias_buffer.data(), out.data(), rows, kp, hp, 0};
  const std::string name = std::string(gates == 4 ? "gr_project_lstm_" : "gr_project_gru_") + name_of<T>;
  check_launch(simt::launch(name.c_str(), {(unsigned)hp / 32, ((unsigned)rows + 31) / 32}, {32u * gates}, 0, &args));
  for (int r = 0; r < rows; ++r)
    for (int u = 0; u < hp; ++u)
      for (int g = 0; g < 4; ++g) {
        const size_t at = ((size_t)r * hp + u) * 4 + g;
        double due = 0;
        if (u < hidden && g < gates) {
          due = bias[(size_t)u * 4 + g];
          for (int k = 0; k < inner; ++k) due += weights[g].at(u, k) * value_of(input[(size_t)r * kp + k]);
          if (std::is_same_v<Gate, F16>) due = std::min(due, 65504.);
        }
        check_close(value_of(out[at]), due, 1e-5 + std::fabs(due) * (std::is_same_v<Gate, F16> ? 1e-3 : 1e-6), "projection", at);
      }
}

template <class T> void add_project(int gates, int inner, int hidden, int rows, bool small) {
  add_test(std::string("Project_") + name_of<T> + "_G" + std::to_string(gates) + "_K" + std::to_string(inner) + "_H" + std::to_string(hidden) + "_MatchesReference", small,
           [=] { projects<T>(gates, inner, hidden, rows); });
}

}  // namespace

void add_recurrent_tests() {
  for (const Cell cell : {Cell::Lstm, Cell::Gru, Cell::GruBefore}) {
    if (kernels_capability() >= 750) add_persistent<F16>(cell);
    if (kernels_capability() >= 800) {
      add_persistent<Bf16>(cell);
      add_step<Bf16>(cell, false);
    }
    add_step<F16>(cell, true);
    add_step<float>(cell, cell == Cell::Lstm);
  }
  add_project<F16>(4, 64, 64, 33, true);
  add_project<F16>(3, 100, 70, 5, false);
  add_project<float>(4, 130, 64, 33, false);
  add_project<float>(3, 64, 40, 1, true);
  if (kernels_capability() >= 800) add_project<Bf16>(4, 64, 64, 40, false);
}
