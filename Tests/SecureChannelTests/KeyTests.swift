import SecureChannel
import Testing

@Suite struct KeyTests {}
