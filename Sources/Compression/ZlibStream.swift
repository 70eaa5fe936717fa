internal import CZlib

/// One run of zlib, in either direction.
///
/// Safe to hold: the pointer is made, used and given back in this file alone. zlib's state has an address of its own
/// since zlib refuses a state that was moved.
@safe struct ZlibStream: ~Copyable {
    enum Direction {
        case deflate
        case inflate
    }

    private static let pieceBytes = 16_384

    private let direction: Direction
    private let state: UnsafeMutablePointer<z_stream>

    init(_ direction: Direction, _ format: CompressionFormat) throws(CompressionError) {
        // How zlib names a format: the exponent of the window, with 16 added for gzip.
        let windowBits: Int32 = format == .gzip ? 31 : 15
        let state = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        unsafe state.initialize(to: z_stream())
        let status =
            switch direction {
            case .deflate: unsafe czlib_deflate_start(state, windowBits)
            case .inflate: unsafe czlib_inflate_start(state, windowBits)
            }
        guard status == Z_OK else {
            unsafe state.deallocate()
            throw .outOfMemory
        }
        self.direction = direction
        unsafe self.state = state
    }

    deinit {
        // Started in the initializer, ended once.
        switch direction {
        case .deflate: _ = unsafe deflateEnd(state)
        case .inflate: _ = unsafe inflateEnd(state)
        }
        unsafe state.deallocate()
    }

    /// Puts `bytes` through, and returns what came out up to the end of the stream.
    consuming func run(over bytes: [UInt8], limit: Int) throws(CompressionError) -> [UInt8] {
        // zlib counts its input in 32 bits.
        guard let count = UInt32(exactly: bytes.count) else { throw .malformed }
        // `state` points into the buffer within this scope only.
        return try unsafe bytes.withUnsafeBufferPointer { buffer throws(CompressionError) in
            unsafe (state.pointee.next_in, state.pointee.avail_in) = (buffer.baseAddress, count)
            var output: [UInt8] = []
            while true {
                let (piece, status) = piece()
                output += piece
                guard output.count <= limit else { throw .overLimit(limit: limit) }
                switch status {
                case Z_OK: continue
                case Z_STREAM_END:
                    guard unsafe state.pointee.avail_in == 0 else { throw .malformed }
                    return output
                // There was room for output, so input is what was short.
                case Z_BUF_ERROR: throw .truncated
                case Z_MEM_ERROR: throw .outOfMemory
                default: throw .malformed
                }
            }
        }
    }

    private func piece() -> (bytes: [UInt8], status: Int32) {
        var status = Z_OK
        // zlib is told the capacity, and tells how much of it was left.
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: Self.pieceBytes) { buffer, initialized in
            unsafe (state.pointee.next_out, state.pointee.avail_out) = (buffer.baseAddress, UInt32(buffer.count))
            status =
                switch direction {
                case .deflate: unsafe deflate(state, Z_FINISH)
                case .inflate: unsafe inflate(state, Z_NO_FLUSH)
                }
            initialized = unsafe buffer.count - Int(state.pointee.avail_out)
        }
        return (bytes, status)
    }
}
