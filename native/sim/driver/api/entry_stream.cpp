// Streams, events and graphs.
#include "entry.h"

using namespace grsim;

namespace {

constexpr std::chrono::milliseconds kLook{5};  // how often a wait looks whether the device is lost

Event* Find(CUevent event) {
  auto* known = reinterpret_cast<Event*>(event);
  return Driver::Get().Known(Driver::Get().events, known) ? known : nullptr;
}

void WaitFor(Event& event, uint64_t number) {
  std::unique_lock lock(event.mutex);
  while (event.done < number && Driver::Get().sticky() == 0) event.reached.wait_for(lock, kLook);
}

}  // namespace

GRSIM_API cuStreamCreate(CUstream* stream, unsigned int) {
  GRSIM_ENTER(true);
  *stream = reinterpret_cast<CUstream>(Driver::Get().Add(Driver::Get().streams, new Stream));
  return CUDA_SUCCESS;
}

GRSIM_API cuStreamDestroy_v2(CUstream stream) {
  GRSIM_ENTER(true);
  auto* known = reinterpret_cast<Stream*>(stream);
  if (!Driver::Get().Remove(Driver::Get().streams, known)) return CUDA_ERROR_INVALID_HANDLE;
  known->Wait();
  delete known;
  return CUDA_SUCCESS;
}

GRSIM_API cuStreamSynchronize(CUstream stream) {
  GRSIM_ENTER(true);
  Stream* known = Driver::Get().Find(stream);
  if (known == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (known->is_capturing()) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  known->Wait();
  return Status(Driver::Get().sticky());
}

GRSIM_API cuStreamQuery(CUstream stream) {
  GRSIM_ENTER(true);
  Stream* known = Driver::Get().Find(stream);
  if (known == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (known->is_capturing()) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  return known->IsIdle() ? Status(Driver::Get().sticky()) : CUDA_ERROR_NOT_READY;
}

GRSIM_API cuStreamWaitEvent(CUstream stream, CUevent event, unsigned int) {
  GRSIM_ENTER(true);
  Event* known = Find(event);
  if (known == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  uint64_t number = 0;
  {
    const std::lock_guard lock(known->mutex);
    number = known->recorded;
  }
  return Enqueue(stream, [=] {
    WaitFor(*known, number);
    return 0;
  });
}

GRSIM_API cuEventCreate(CUevent* event, unsigned int) {
  GRSIM_ENTER(true);
  *event = reinterpret_cast<CUevent>(Driver::Get().Add(Driver::Get().events, new Event));
  return CUDA_SUCCESS;
}

GRSIM_API cuEventDestroy_v2(CUevent event) {
  GRSIM_ENTER(true);
  auto* known = reinterpret_cast<Event*>(event);
  if (!Driver::Get().Remove(Driver::Get().events, known)) return CUDA_ERROR_INVALID_HANDLE;
  Driver::Get().WaitForAll();  // a queued record or wait may still name it
  delete known;
  return CUDA_SUCCESS;
}

GRSIM_API cuEventRecord(CUevent event, CUstream stream) {
  GRSIM_ENTER(true);
  Event* known = Find(event);
  if (known == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  uint64_t number = 0;
  {
    const std::lock_guard lock(known->mutex);
    number = ++known->recorded;
  }
  return Enqueue(stream, [=] {
    const std::lock_guard lock(known->mutex);
    known->done = std::max(known->done, number);
    known->at = std::chrono::steady_clock::now();
    known->reached.notify_all();
    return 0;
  });
}

GRSIM_API cuEventQuery(CUevent event) {
  GRSIM_ENTER(true);
  Event* known = Find(event);
  if (known == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  const std::lock_guard lock(known->mutex);
  return known->done >= known->recorded ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY;
}

GRSIM_API cuEventSynchronize(CUevent event) {
  GRSIM_ENTER(true);
  Event* known = Find(event);
  if (known == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  uint64_t number = 0;
  {
    const std::lock_guard lock(known->mutex);
    number = known->recorded;
  }
  WaitFor(*known, number);
  return Status(Driver::Get().sticky());
}

GRSIM_API cuEventElapsedTime(float* milliseconds, CUevent from, CUevent to) {
  GRSIM_ENTER(true);
  const Event *first = Find(from), *last = Find(to);
  if (first == nullptr || last == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  *milliseconds = std::chrono::duration<float, std::milli>(last->at - first->at).count();
  return CUDA_SUCCESS;
}

GRSIM_API cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode) {
  GRSIM_ENTER(true);
  if (stream == nullptr) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  Stream* known = Driver::Get().Find(stream);
  if (known == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  return known->BeginCapture() ? CUDA_SUCCESS : CUDA_ERROR_ILLEGAL_STATE;
}

GRSIM_API cuStreamEndCapture(CUstream stream, CUgraph* graph) {
  GRSIM_ENTER(true);
  Stream* known = stream == nullptr ? nullptr : Driver::Get().Find(stream);
  if (known == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  auto made = std::make_unique<Graph>();
  if (!known->EndCapture(made->jobs)) return CUDA_ERROR_ILLEGAL_STATE;
  *graph = reinterpret_cast<CUgraph>(Driver::Get().Add(Driver::Get().graphs, made.release()));
  return CUDA_SUCCESS;
}

GRSIM_API cuGraphInstantiateWithFlags(CUgraphExec* executable, CUgraph graph, unsigned long long) {
  GRSIM_ENTER(true);
  auto* known = reinterpret_cast<Graph*>(graph);
  if (!Driver::Get().Known(Driver::Get().graphs, known)) return CUDA_ERROR_INVALID_HANDLE;
  *executable = reinterpret_cast<CUgraphExec>(Driver::Get().Add(Driver::Get().executables, new Graph(*known)));
  return CUDA_SUCCESS;
}

GRSIM_API cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  GRSIM_ENTER(true);
  auto* known = reinterpret_cast<Graph*>(executable);
  if (!Driver::Get().Known(Driver::Get().executables, known)) return CUDA_ERROR_INVALID_HANDLE;
  ++Driver::Get().counters.graph_launches;
  for (const Job& job : known->jobs)
    if (const CUresult status = Enqueue(stream, job); status != CUDA_SUCCESS) return status;
  return CUDA_SUCCESS;
}

GRSIM_API cuGraphExecDestroy(CUgraphExec executable) {
  GRSIM_ENTER(true);
  auto* known = reinterpret_cast<Graph*>(executable);
  if (!Driver::Get().Remove(Driver::Get().executables, known)) return CUDA_ERROR_INVALID_HANDLE;
  delete known;
  return CUDA_SUCCESS;
}

GRSIM_API cuGraphDestroy(CUgraph graph) {
  GRSIM_ENTER(true);
  auto* known = reinterpret_cast<Graph*>(graph);
  if (!Driver::Get().Remove(Driver::Get().graphs, known)) return CUDA_ERROR_INVALID_HANDLE;
  delete known;
  return CUDA_SUCCESS;
}
