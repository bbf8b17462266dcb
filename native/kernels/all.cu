// One module of all kernels, so that the server loads one file.
#include "rank_merge.cu"
#include "rank_scan.cu"
#include "recurrent_persistent.cu"
#include "recurrent_step.cu"
#include "rows.cu"
#include "dense.cu"
