/// A moment as people write it, in UTC.
struct CivilTime: CustomStringConvertible {
    private let seconds: Int64

    init(unixSeconds seconds: Int64) { self.seconds = seconds }

    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// The form Jami writes into `Date`: `Mon Nov 23 08:56:19 2026`, not that of the standard.
    var description: String {
        let clamped = min(max(seconds, 0), 253_402_300_799)
        let day = Int(clamped / 86_400)
        let second = Int(clamped % 86_400)
        let (year, month, date) = Self.civil(day)
        let clock = [second / 3_600, second / 60 % 60, second % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }
        let padded = date < 10 ? " \(date)" : "\(date)"
        return "\(Self.days[day % 7]) \(Self.months[month - 1]) \(padded) \(clock.joined(separator: ":")) \(year)"
    }

    /// The date of a day counted from 1970-01-01, by eras of 400 years that start in March.
    private static func civil(_ day: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}
