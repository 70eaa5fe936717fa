#pragma once
// Inputs are never written to.
#define ZLIB_CONST
#include <zlib.h>

// Macros that Swift cannot call.
static inline int czlib_inflate_start(z_stream *stream, int window_bits) { return inflateInit2(stream, window_bits); }
static inline int czlib_deflate_start(z_stream *stream, int window_bits) {
    return deflateInit2(stream, Z_BEST_COMPRESSION, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
}
