// The real device: inline PTX for what C++ has no name for. Included by device.cuh alone.
#pragma once
#include <cuda_runtime.h>
#include <stdint.h>

#ifdef __CUDA_ARCH__
#define GR_ARCH __CUDA_ARCH__
#else
#define GR_ARCH 900  // nvcc's look at the file for the host: only the kernels' names count there
#endif

#define GR_DEVICE static __device__ __forceinline__
#define GR_MEMBER __device__ __forceinline__
/// One kernel: its name in the module, its parameter, the threads of a block and how many blocks a multiprocessor is to hold at least
/// (which bounds the registers: 65,536 / (threads · blocks)).
#define GR_KERNEL(name, args_type, threads, blocks) extern "C" __global__ void __launch_bounds__(threads, blocks) name(const args_type args)
/// Shared memory of a block, aligned for ldmatrix and wmma.
#define GR_SHARED(type, name, count) __shared__ __align__(128) type name[count]
#define GR_DYNAMIC_SHARED(name) extern __shared__ __align__(128) unsigned char name[]

GR_DEVICE float gr_half_to_float(unsigned short h) {
  float f;
  asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
  return f;
}

GR_DEVICE unsigned short gr_float_to_half(float f) {
  unsigned short h;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f));
  return h;
}

GR_DEVICE float gr_float_of_bits(unsigned x) { return __uint_as_float(x); }
GR_DEVICE unsigned gr_bits_of_float(float x) { return __float_as_uint(x); }

GR_DEVICE float gr_exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

GR_DEVICE float gr_reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

GR_DEVICE float gr_tanh_approx(float x) {
#if GR_ARCH >= 750
  float y;
  asm("tanh.approx.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
#else
  return fmaf(-2.f, gr_reciprocal(1.f + gr_exp2(2.885390082f * x)), 1.f);
#endif
}

GR_DEVICE unsigned gr_shared_address(const void* p) { return (unsigned)__cvta_generic_to_shared(p); }

/// 16 bytes from global to shared memory, behind the thread's back where the device can; there after gr_copy_wait and a barrier.
GR_DEVICE void gr_copy16(void* shared, const void* global) {
#if GR_ARCH >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(gr_shared_address(shared)), "l"(global) : "memory");
#else
  *reinterpret_cast<uint4*>(shared) = *reinterpret_cast<const uint4*>(global);
#endif
}

GR_DEVICE void gr_copy_wait() {
#if GR_ARCH >= 800
  asm volatile("cp.async.commit_group;\n\tcp.async.wait_group 0;" ::: "memory");
#endif
}

#if GR_ARCH >= 750
/// Four 8×8 matrices of 16-bit elements; lane l names the row l % 8 of matrix l / 8.
GR_DEVICE void gr_ldmatrix4(unsigned (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(gr_shared_address(row))
               : "memory");
}

/// d[16×8] += a[16×16]·b[16×8], f16 in, float32 sums; fragments as the PTX manual gives them for mma.m16n8k16.
GR_DEVICE void gr_mma_f16(float* d, const unsigned (&a)[4], const unsigned (&b)[2]) {
#if GR_ARCH >= 800
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(b[0]));
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[2]), "r"(a[3]), "r"(b[1]));
#endif
}
#endif

#if GR_ARCH >= 800
GR_DEVICE void gr_mma_bf16(float* d, const unsigned (&a)[4], const unsigned (&b)[2]) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

/// Volta's form: one 32×8×16 product of f16 from shared memory, rows of `a` and columns of `b` contiguous. d's place in the lanes is opaque.
GR_DEVICE void gr_wmma(float (&d)[8], const void* a, int lda, const void* b, int ldb) {
  unsigned x[8], y[8];
  asm volatile("wmma.load.a.sync.aligned.row.m32n8k16.shared.f16 {%0,%1,%2,%3,%4,%5,%6,%7}, [%8], %9;"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3]), "=r"(x[4]), "=r"(x[5]), "=r"(x[6]), "=r"(x[7])
               : "r"(gr_shared_address(a)), "r"(lda)
               : "memory");
  asm volatile("wmma.load.b.sync.aligned.col.m32n8k16.shared.f16 {%0,%1,%2,%3,%4,%5,%6,%7}, [%8], %9;"
               : "=r"(y[0]), "=r"(y[1]), "=r"(y[2]), "=r"(y[3]), "=r"(y[4]), "=r"(y[5]), "=r"(y[6]), "=r"(y[7])
               : "r"(gr_shared_address(b)), "r"(ldb)
               : "memory");
  asm volatile("wmma.mma.sync.aligned.row.col.m32n8k16.f32.f32 {%0,%1,%2,%3,%4,%5,%6,%7}, {%8,%9,%10,%11,%12,%13,%14,%15}, "
               "{%16,%17,%18,%19,%20,%21,%22,%23}, {%0,%1,%2,%3,%4,%5,%6,%7};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7])
               : "r"(x[0]), "r"(x[1]), "r"(x[2]), "r"(x[3]), "r"(x[4]), "r"(x[5]), "r"(x[6]), "r"(x[7]),
                 "r"(y[0]), "r"(y[1]), "r"(y[2]), "r"(y[3]), "r"(y[4]), "r"(y[5]), "r"(y[6]), "r"(y[7]));
}

/// Element (row, column) goes to out[column·ld + row].
GR_DEVICE void gr_wmma_store(float* out, int ld, const float (&d)[8]) {
  asm volatile("wmma.store.d.sync.aligned.col.m32n8k16.shared.f32 [%0], {%1,%2,%3,%4,%5,%6,%7,%8}, %9;" ::"r"(gr_shared_address(out)),
               "f"(d[0]), "f"(d[1]), "f"(d[2]), "f"(d[3]), "f"(d[4]), "f"(d[5]), "f"(d[6]), "f"(d[7]), "r"(ld)
               : "memory");
}
