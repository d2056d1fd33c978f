// Exits 0 when at::parallel_for really runs our loop on more than one thread (where the machine has them).
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <mutex>
#include <set>
#include <thread>

int main() {
  at::set_num_threads(2);
  (void)at::randn({256, 256}).mm(at::randn({256, 256}));
  std::mutex mutex;
  std::set<std::thread::id> threads;
  at::parallel_for(0, 64, 1, [&](int64_t, int64_t) {
    const std::lock_guard lock(mutex);
    threads.insert(std::this_thread::get_id());
  });
  return threads.size() == 2 ? 0 : 1;
}
