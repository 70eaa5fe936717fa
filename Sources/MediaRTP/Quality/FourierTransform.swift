/// A discrete Fourier transform of a power of two of complex values.
struct FourierTransform {
    /// How many values are transformed.
    let count: Int
    /// The roots of unity of the first half circle, going clockwise.
    private let roots: [(real: Double, imaginary: Double)]

    /// Prepares transforms of the smallest power of two that is at least `minimum`, and at least 2.
    init(minimum: Int) {
        var size = 2
        while size < minimum { size *= 2 }
        count = size
        roots = Self.roots(size)
    }

    /// Transforms in place.
    func forward(_ real: inout [Double], _ imaginary: inout [Double]) {
        precondition(real.count == count && imaginary.count == count, "a transform takes exactly its count of values")
        reorder(&real, &imaginary)
        var half = 1
        while half < count {
            let step = count / (2 * half)
            for start in stride(from: 0, to: count, by: 2 * half) {
                for offset in 0..<half {
                    let root = roots[offset * step]
                    let (low, high) = (start + offset, start + offset + half)
                    let turnedReal = real[high] * root.real - imaginary[high] * root.imaginary
                    let turnedImaginary = real[high] * root.imaginary + imaginary[high] * root.real
                    (real[high], imaginary[high]) = (real[low] - turnedReal, imaginary[low] - turnedImaginary)
                    (real[low], imaginary[low]) = (real[low] + turnedReal, imaginary[low] + turnedImaginary)
                }
            }
            half *= 2
        }
    }

    /// Transforms back in place; forward and back together change nothing.
    func inverse(_ real: inout [Double], _ imaginary: inout [Double]) {
        forward(&imaginary, &real)
        let scale = 1 / Double(count)
        for index in 0..<count {
            real[index] *= scale
            imaginary[index] *= scale
        }
    }

    /// Moves each value to the place whose binary digits are those of its own in reverse.
    private func reorder(_ real: inout [Double], _ imaginary: inout [Double]) {
        var reversed = 0
        for index in 1..<count {
            var bit = count / 2
            while reversed & bit != 0 {
                reversed ^= bit
                bit /= 2
            }
            reversed |= bit
            if index < reversed {
                real.swapAt(index, reversed)
                imaginary.swapAt(index, reversed)
            }
        }
    }

    /// Halving the angle of known roots again and again needs nothing but square roots.
    private static func roots(_ count: Int) -> [(real: Double, imaginary: Double)] {
        var roots = [(real: 1.0, imaginary: 0.0)]
        var step = (real: -1.0, imaginary: 0.0)
        while roots.count < count / 2 {
            let cosine = ((1 + step.real) / 2).squareRoot()
            step = (cosine, cosine > 0 ? step.imaginary / (2 * cosine) : 0)
            if roots.count == 1 { step = (0, -1) }
            roots = roots.flatMap { root in
                [
                    root,
                    (
                        root.real * step.real - root.imaginary * step.imaginary,
                        root.real * step.imaginary + root.imaginary * step.real
                    ),
                ]
            }
        }
        return roots
    }
}
