"""What is checked: each row makes its own preparations and returns what it measured, in milliseconds."""
from programs import Failure, now

ROWS = {}


class Skipped(Exception):
    """Why a row cannot run here."""


def row(name):
    def register(function):
        ROWS[name] = function
        return function
    return register


class Talk:
    """A call from one side to the other, and when its steps happened."""

    def __init__(self, lab, caller, callee):
        self.lab, self.caller, self.callee = lab, caller, callee
        self.since = {side: side.journal.here() for side in (caller, callee)}
        self.times = {}

    def ring(self, dial=None):
        start = now()
        (dial or self.caller.dial)(self.callee.id)
        rang = self.callee.await_incoming(self.since[self.callee])
        self.times["ringing"] = rang - (self.caller.dialled(self.since[self.caller]) or start)
        self.caller.await_ringing(self.since[self.caller])
        return self

    def answer(self):
        """Answers, and waits until both hear each other's tone."""
        watches = {side: side.watch() for side in (self.caller, self.callee)}
        start = now()
        self.callee.answer()
        for side in (self.caller, self.callee):
            side.await_connected(self.since[side])
        self.times["connected"] = now() - start
        self._hear(watches)
        self.times["heard"] = now() - start
        return self

    def hear_again(self):
        self._hear({side: side.watch() for side in (self.caller, self.callee)})

    def _hear(self, watches):
        for side, watch in watches.items():
            try:
                self.lab.world.until(watch.is_heard, 20, "tone")
            except Failure:
                heard = watch.shown() or "nothing"
                raise Failure(f"{side.name} does not hear {watch.hertz} Hz: the last windows are {heard}") from None

    def end(self, by):
        """Hangs up, and waits until both know."""
        start = now()
        by.hang_up()
        reasons = ("hung-up",) if by is self.lab.ours else ("remote-hung-up",)
        self.lab.ours.await_end(self.since[self.lab.ours], reasons=reasons)
        self.lab.stock.await_end()
        self.times["ended"] = now() - start
        return self.result

    @property
    def result(self):
        return {name: round(1000 * seconds) for name, seconds in self.times.items()}


def stock_calls(lab):
    return Talk(lab, lab.stock, lab.ours)


def ours_calls(lab):
    return Talk(lab, lab.ours, lab.stock)


def require_dialling(lab):
    if not lab.ours.can_dial:
        raise Skipped("`swiftlet listen` cannot call yet, so a warm connection cannot be called over")


# Calls

@row("stock-calls-cold")
def stock_calls_cold(lab):
    """Both restarted, no connection; stock hangs up."""
    lab.stock.restart()
    lab.ours.restart()
    return stock_calls(lab).ring().answer().end(by=lab.stock)


@row("stock-calls-warm")
def stock_calls_warm(lab):
    """Again over the connection of the call before; ours hangs up."""
    stock_calls(lab).ring().answer().end(by=lab.ours)
    again = stock_calls(lab)
    result = again.ring().answer().end(by=lab.ours)
    if lab.ours.new_connections(again.since[lab.ours]):
        raise Failure("a new connection was made")
    return result


@row("ours-calls-cold")
def ours_calls_cold(lab):
    """A new process of ours calls; ours hangs up."""
    talk = ours_calls(lab)
    talk.ring(dial=lab.ours.call).answer()
    result = talk.end(by=lab.ours)
    lab.ours.await_exit(0)
    return result


@row("ours-calls-stock-hangs-up")
def ours_calls_stock_hangs_up(lab):
    talk = ours_calls(lab)
    talk.ring(dial=lab.ours.call).answer()
    result = talk.end(by=lab.stock)
    lab.ours.await_exit(0)
    return result


@row("ours-calls-warm")
def ours_calls_warm(lab):
    """Back over the connection stock called by; stock hangs up."""
    require_dialling(lab)
    stock_calls(lab).ring().answer().end(by=lab.stock)
    again = ours_calls(lab)
    result = again.ring().answer().end(by=lab.stock)
    if lab.ours.new_connections(again.since[lab.ours]):
        raise Failure("a new connection was made")
    return result


# Texts

@row("texts-in-call")
def texts_in_call(lab):
    """Both ways, while both talk."""
    lab.ours.restart("--text", "words of ours")
    talk = stock_calls(lab).ring().answer()
    start = now()
    lab.stock.await_said("words of ours", talk.since[lab.stock])
    lab.stock.say("words of stock")
    heard = lab.ours.await_said("words of stock", talk.since[lab.ours])
    talk.end(by=lab.stock)
    lab.ours.restart()
    return {"delivered": round(1000 * (heard - start))}


def write_to_ours(lab, text):
    since, start = lab.ours.journal.here(), now()
    lab.stock.write(lab.ours.id, text)
    return {"delivered": round(1000 * (lab.ours.await_written(text, since) - start))}


@row("text-to-ours-warm")
def text_to_ours_warm(lab):
    """Over the connection of the call before."""
    stock_calls(lab).ring().answer().end(by=lab.stock)
    return write_to_ours(lab, "a note to ours")


@row("text-to-ours")
def text_to_ours(lab):
    """Without a connection, the daemon leaves the text in our inbox on the DHT."""
    lab.ours.restart()
    return write_to_ours(lab, "a letter to ours")


@row("text-to-stock")
def text_to_stock(lab):
    since, start = lab.stock.journal.here(), now()
    lab.ours.write(lab.stock.id, "a letter to stock")
    return {"delivered": round(1000 * (lab.stock.await_written("a letter to stock", since) - start))}


# Within calls

@row("stock-holds")
def stock_holds(lab):
    """Holds and goes on: the call stays, and both hear each other again."""
    talk = stock_calls(lab).ring().answer()
    watch = lab.ours.watch()
    lab.stock.hold(True)
    lab.world.until(watch.is_gone, 10, "ours still hears stock, which holds the call,")
    start = now()
    lab.stock.hold(False)
    talk.hear_again()
    talk.times = {"heard-again": now() - start}
    return talk.end(by=lab.stock)


@row("stock-mutes")
def stock_mutes(lab):
    talk = ours_calls(lab)
    talk.ring(dial=lab.ours.call).answer()
    since, watch = lab.ours.journal.here(), lab.ours.watch()
    lab.stock.mute(True)
    lab.ours.await_muted(True, since)
    lab.world.until(watch.is_gone, 10, "ours still hears stock, which is muted,")
    start = now()
    lab.stock.mute(False)
    lab.ours.await_muted(False, since)
    talk.hear_again()
    talk.times = {"heard-again": now() - start}
    return talk.end(by=lab.stock)


# Calls that do not come about

@row("stock-refuses")
def stock_refuses(lab):
    talk = ours_calls(lab).ring(dial=lab.ours.call)
    start = now()
    lab.stock.decline()
    told = lab.ours.await_end(talk.since[lab.ours], reasons=("remote-declined",))
    lab.ours.await_exit(10)
    return {"told": round(1000 * (told - start))}


@row("ours-refuses")
def ours_refuses(lab):
    stock_calls(lab).ring()
    start = now()
    lab.ours.decline()
    return {"told": round(1000 * (lab.stock.await_end() - start))}


@row("stock-cancels")
def stock_cancels(lab):
    talk = stock_calls(lab).ring()
    start = now()
    lab.stock.hang_up()
    told = lab.ours.await_end(talk.since[lab.ours], reasons=("remote-cancelled",))
    return {"told": round(1000 * (told - start))}


@row("ours-cancels")
def ours_cancels(lab):
    ours_calls(lab).ring(dial=lab.ours.call)
    start = now()
    lab.ours.hang_up()
    told = lab.stock.await_end()
    lab.ours.await_exit(17)
    return {"told": round(1000 * (told - start))}


@row("stock-does-not-answer")
def stock_does_not_answer(lab):
    """Its daemon gives up after 30 s of ringing, and says that it is busy."""
    talk = ours_calls(lab).ring(dial=lab.ours.call)
    start = now()
    told = lab.ours.await_end(talk.since[lab.ours], seconds=60, reasons=("unanswered", "remote-declined"))
    lab.ours.await_exit(10, 11)
    return {"told": round(1000 * (told - start))}


@row("ours-does-not-answer")
def ours_does_not_answer(lab):
    talk = stock_calls(lab).ring()
    start = now()
    told = lab.stock.await_end(seconds=90)
    lab.ours.await_end(talk.since[lab.ours])
    return {"told": round(1000 * (told - start))}


# Programs that come and go

@row("stock-restarted")
def stock_restarted(lab):
    """Between two calls, with a connection that ours has to notice is gone."""
    stock_calls(lab).ring().answer().end(by=lab.stock)
    lab.stock.restart()
    if lab.ours.can_dial:
        ours_calls(lab).ring().answer().end(by=lab.ours)
    return stock_calls(lab).ring().answer().end(by=lab.stock)


@row("ours-restarted")
def ours_restarted(lab):
    """Ended without a word between two calls, with a connection that stock has to notice is gone."""
    stock_calls(lab).ring().answer().end(by=lab.stock)
    lab.ours.die()
    lab.ours.listen()
    return stock_calls(lab).ring().answer().end(by=lab.stock)


# Devices

@row("two-devices-ring")
def two_devices_ring(lab):
    """A stock account on two daemons: both ring, the second answers, the first stops ringing."""
    second = lab.second_device()
    talk = Talk(lab, lab.ours, second)
    since = lab.stock.journal.here()
    lab.ours.call(lab.stock.id)
    lab.stock.await_incoming(since)
    second.await_incoming(talk.since[second])
    talk.times["both-ringing"] = now() - lab.ours.dialled(talk.since[lab.ours])
    talk.answer()
    lab.stock.await_end()
    second.hang_up()
    lab.ours.await_end(talk.since[lab.ours], reasons=("remote-hung-up",))
    lab.ours.await_exit(0)
    return talk.result
