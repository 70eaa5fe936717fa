"""What is checked: each row makes its own preparations and returns what it measured, in milliseconds."""
import time

from programs import Failure, now

ROWS = {}
# Seconds a user rings at least: jamid tells of a call before it begins to ring, and where it is answered in between, as
# within 2 ms, it plays its ring-back tone of 440 and 480 Hz instead of the caller throughout the call.
ANSWER_AFTER = 0.1
# Those that together take about a minute.
QUICK = []


class Skipped(Exception):
    """Why a row cannot run here."""


def row(name, is_quick=False):
    def register(function):
        ROWS[name] = function
        if is_quick:
            QUICK.append(name)
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
        time.sleep(ANSWER_AFTER)
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
        """Waits for both at once, as who looks late at a recording that began anew finds its place late."""
        try:
            self.lab.world.until(lambda: all([watch.is_heard() for watch in watches.values()]), 20, "tones")
        except Failure:
            deaf = [f"{side.name} does not hear {watch.hertz} Hz: the last windows are {watch.shown() or 'nothing'}"
                    for side, watch in watches.items() if not watch.is_heard()]
            raise Failure("; ".join(deaf)) from None

    def end(self, by):
        """Hangs up, and waits until both know."""
        start = now()
        by.hang_up()
        for side in (self.caller, self.callee):
            side.await_over(self.since[side], is_ours=side is by)
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

@row("stock-calls-cold", is_quick=True)
def stock_calls_cold(lab):
    """Both restarted, no connection; stock hangs up."""
    lab.stock.restart()
    lab.ours.restart()
    return stock_calls(lab).ring().answer().end(by=lab.stock)


@row("stock-calls-warm", is_quick=True)
def stock_calls_warm(lab):
    """Again over the connection of the call before; ours hangs up."""
    stock_calls(lab).ring().answer().end(by=lab.ours)
    again = stock_calls(lab)
    result = again.ring().answer().end(by=lab.ours)
    if lab.ours.new_connections(again.since[lab.ours]):
        raise Failure("a new connection was made")
    return result


@row("ours-calls-cold", is_quick=True)
def ours_calls_cold(lab):
    """A new process of ours calls; ours hangs up."""
    talk = ours_calls(lab)
    talk.ring(dial=lab.ours.call).answer()
    result = talk.end(by=lab.ours)
    lab.ours.await_exit(0)
    return result


@row("ours-calls-stock-hangs-up")
def ours_calls_stock_hangs_up(lab):
    """A new process of ours calls; stock hangs up."""
    talk = ours_calls(lab)
    talk.ring(dial=lab.ours.call).answer()
    result = talk.end(by=lab.stock)
    lab.ours.await_exit(0)
    return result


@row("ours-calls-warm", is_quick=True)
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

@row("texts-in-call", is_quick=True)
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
    """Sends a text, which has to arrive and to be known to have arrived."""
    since, told, start = lab.ours.journal.here(), lab.stock.journal.here(), now()
    number = lab.stock.write(lab.ours.id, text)
    delivered = lab.ours.await_written(text, since) - start
    confirmed = lab.stock.await_taken(number, told) - start
    return {"delivered": round(1000 * delivered), "confirmed": round(1000 * confirmed)}


@row("text-to-ours-warm")
def text_to_ours_warm(lab):
    """Over the connection of the call before."""
    stock_calls(lab).ring().answer().end(by=lab.stock)
    return write_to_ours(lab, "a note to ours")


@row("text-to-ours", is_quick=True)
def text_to_ours(lab):
    """Without a connection, the daemon leaves the text in our inbox on the DHT."""
    lab.ours.restart()
    return write_to_ours(lab, "a letter to ours")


@row("text-to-stock")
def text_to_stock(lab):
    """From a process of its own, which has to make a connection."""
    since, start = lab.stock.journal.here(), now()
    lab.ours.write(lab.stock.id, "a letter to stock")
    return {"delivered": round(1000 * (lab.stock.await_written("a letter to stock", since) - start))}


# Within calls

@row("stock-holds", is_quick=True)
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
    """Ours is told, hears silence, and hears stock again."""
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


@row("ours-holds", is_quick=True)
def ours_holds(lab):
    """Holds, so that stock hears silence, and goes on: both hear each other again."""
    talk = stock_calls(lab).ring().answer()
    watch, start = lab.stock.watch(), now()
    talk.times = {"held": lab.ours.hold(True) - start}
    lab.world.until(watch.is_gone, 10, "stock still hears ours, which holds the call,")
    start = now()
    talk.times["resumed"] = lab.ours.hold(False) - start
    talk.hear_again()
    talk.times["heard-again"] = now() - start
    return talk.end(by=lab.ours)


@row("both-hold")
def both_hold(lab):
    """Ours holds, stock too, and each goes on: only then do both hear each other."""
    talk = stock_calls(lab).ring().answer()
    lab.ours.hold(True)
    lab.stock.hold(True)
    watches = [side.watch() for side in (lab.ours, lab.stock)]
    for watch in watches:
        lab.world.until(watch.is_gone, 10, "somebody still hears who holds the call,")
    lab.ours.hold(False)
    watch = lab.ours.watch()
    lab.world.until(watch.is_gone, 10, "ours still hears stock, which holds the call,")
    start = now()
    lab.stock.hold(False)
    talk.hear_again()
    talk.times = {"heard-again": now() - start}
    return talk.end(by=lab.stock)


@row("ours-mutes", is_quick=True)
def ours_mutes(lab):
    """Stock notices, hears silence, and hears ours again."""
    talk = stock_calls(lab).ring().answer()
    watch, log = lab.stock.watch(), lab.stock.end_of_log
    lab.ours.mute()
    lab.world.until(watch.is_gone, 10, "stock still hears ours, which is muted,")
    await_mute_known(lab, "Peer muted", log)
    log, start = lab.stock.end_of_log, now()
    lab.ours.mute()
    talk.hear_again()
    talk.times = {"heard-again": now() - start}
    await_mute_known(lab, "Peer un-muted", log)
    return talk.end(by=lab.stock)


def await_mute_known(lab, text, log):
    """The daemon tells its log alone, that and how it answers the request that says so."""
    for line in (text, "Response msg 200/INFO"):
        lab.world.until(lambda: lab.stock.logged(line, log), 5, f"stock's log does not say '{line}'")


@row("live-devices")
def live_devices(lab):
    """Ours talks through a sound server instead of files."""
    live = lab.guest(is_live=True)
    talk = Talk(lab, lab.stock, live).ring().answer()
    if live.opened(talk.since[live]) != 2:
        raise Failure("not both devices were opened")
    return talk.end(by=lab.stock)


# Calls that do not come about

@row("stock-refuses", is_quick=True)
def stock_refuses(lab):
    """Ours is told that its call is declined."""
    talk = ours_calls(lab).ring(dial=lab.ours.call)
    start = now()
    lab.stock.decline()
    told = lab.ours.await_end(talk.since[lab.ours], reasons=("remote-declined",))
    lab.ours.await_exit(10)
    return {"told": round(1000 * (told - start))}


@row("ours-refuses", is_quick=True)
def ours_refuses(lab):
    """Stock's call ends when ours declines it."""
    talk = stock_calls(lab).ring()
    start = now()
    lab.ours.decline()
    told = lab.stock.await_end()
    lab.ours.await_end(talk.since[lab.ours], reasons=("declined",))
    return {"told": round(1000 * (told - start))}


@row("stock-cancels", is_quick=True)
def stock_cancels(lab):
    """Stock gives up while ours rings."""
    talk = stock_calls(lab).ring()
    start = now()
    lab.stock.hang_up()
    told = lab.ours.await_cancelled(talk.since[lab.ours])
    return {"told": round(1000 * (told - start))}


@row("ours-cancels", is_quick=True)
def ours_cancels(lab):
    """Ours gives up while stock rings."""
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
    """Stock calls until it gives up."""
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

def one_of_two_answers(lab, talk, other, await_other=None):
    """Both devices of an account ring, the callee answers, and the other stops ringing."""
    since, start = other.journal.here(), now()
    talk.ring()
    (await_other or other.await_incoming)(since)
    talk.times["both-ringing"] = now() - start
    talk.answer()
    other.await_cancelled(since)
    return talk


@row("two-devices-ring")
def two_devices_ring(lab):
    """A stock account on two daemons; ours calls, the second answers."""
    first = lab.stock_guest()
    second = lab.stock_guest(archive=lab.archive(first))
    return one_of_two_answers(lab, Talk(lab, lab.ours, second), first).end(by=second)


@row("ours-two-devices")
def ours_two_devices(lab):
    """An account of ours on two nodes; stock calls, the second answers."""
    first = lab.guest()
    second = lab.guest(archive=lab.archive(first))
    return one_of_two_answers(lab, Talk(lab, lab.stock, second), first).end(by=second)


@row("stock-account-two-devices-one-ours")
def stock_account_two_devices_one_ours(lab):
    """A stock account on its daemon and on a node of ours; another daemon calls, ours answers."""
    first = lab.stock_guest()
    device = lab.guest(archive=lab.archive(first))
    talk = Talk(lab, lab.stock, device)
    return one_of_two_answers(lab, talk, first, first.await_incoming_of_stock).end(by=device)


# Contacts

PROFILE = "BEGIN:VCARD\nVERSION:2.1\nFN:Somebody\nEND:VCARD\n"


@row("stock-asks-contact")
def stock_asks_contact(lab):
    """Ours agrees, and both lists say that the other did."""
    guest = lab.guest()
    since, told, start = guest.journal.here(), lab.stock.journal.here(), now()
    lab.stock.ask(guest.id, PROFILE)
    shown = guest.await_asked(lab.stock.id, since)
    asked = now() - start
    if shown != PROFILE:
        raise Failure(f"the profile came as {shown!r}")
    start = now()
    guest.agree(lab.stock.id)
    agreed = lab.stock.await_contact(guest.id, told) - start
    guest.await_contact(lab.stock.id)
    return {"asked": round(1000 * asked), "agreed": round(1000 * agreed)}


@row("ours-asks-contact")
def ours_asks_contact(lab):
    """Stock sees our profile and agrees, and our list says so."""
    guest = lab.guest()
    told = lab.stock.journal.here()
    guest.agree(lab.stock.id)
    shown = lab.stock.await_asked(guest.id, told)
    if f"FN:{guest.name}" not in shown:
        raise Failure(f"the profile came as {shown!r}")
    start = now()
    lab.stock.agree(guest.id)
    guest.await_contact(lab.stock.id)
    return {"agreed": round(1000 * (now() - start))}


@row("strangers-refused")
def strangers_refused(lab):
    """Ours is there for contacts alone: stock does not get through before it is one."""
    guest = lab.guest("--contacts-only")
    since, told = guest.journal.here(), lab.stock.journal.here()
    lab.stock.dial(guest.id)
    lab.world.until(lambda: guest.logged("unwelcome"), 20, "the stranger's request did not arrive")
    time.sleep(3)
    if guest.journal.first("incoming-call", since) or guest.journal.first("request-received", since):
        raise Failure("a stranger got through")
    if any(e["arguments"][2] == "RINGING" for e in lab.stock.journal.all("callStateChanged", told)):
        raise Failure("stock believes that it rings")
    lab.stock.quiet()
    guest.agree(lab.stock.id, "--contacts-only")
    return Talk(lab, lab.stock, guest).ring().answer().end(by=lab.stock)


# Connections that last

@row("warm-after-a-minute")
def warm_after_a_minute(lab):
    """Nobody says anything for longer than connections are kept without a word; then the same one is called over."""
    stock_calls(lab).ring().answer().end(by=lab.stock)
    time.sleep(65)
    again = stock_calls(lab)
    result = again.ring().answer().end(by=lab.stock)
    if lab.ours.new_connections(again.since[lab.ours]):
        raise Failure("a new connection was made")
    return result
