// Hosts libnice agents under the commands of Host/Host.swift, so that both can be measured and tried alike:
//
//     nice-host [--stun ADDRESS:PORT] [--turn ADDRESS:PORT] [--relay-only] [--tcp]
//
// User and password of the TURN server are `user` and `pass`.
#include <glib-unix.h>
#include <nice/agent.h>
#include <nice/interfaces.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { heard_limit = 64, word_limit = 8, burst_limit = 256 };

typedef struct {
    NiceAgent *agent;
    guint stream;
    guint64 received;
    // What came since it was first asked for, as hexadecimal digits with commas between; NULL before.
    GString *heard;
    guint heard_count;
    char *opening, *connecting;
    gint64 since;
} Guest;

typedef struct {
    Guest *guest;
    char *tag;
    gint64 end;
    guint64 sent;
    guint burst;
    GOutputVector *vectors;
    NiceOutputMessage *messages;
} Blast;

static GHashTable *guests;
static char *stun_host, *turn_host;
static guint stun_port, turn_port;
static gboolean relay_only, tcp;

static void say(const char *format, ...) G_GNUC_PRINTF(1, 2);
static void say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char *line = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    size_t length = strlen(line), written = 0;
    while (written < length) {
        ssize_t count = write(STDOUT_FILENO, line + written, length - written);
        if (count <= 0) exit(71);
        written += (size_t)count;
    }
    g_free(line);
}

static char *hex(const guint8 *bytes, gsize length) {
    GString *digits = g_string_sized_new(length * 2);
    for (gsize index = 0; index < length; index++) g_string_append_printf(digits, "%02x", bytes[index]);
    return g_string_free(digits, FALSE);
}

static guint8 *unhex(const char *digits, gsize *length) {
    *length = strlen(digits) / 2;
    guint8 *bytes = g_malloc0(*length + 1);
    for (gsize index = 0; index < *length; index++)
        bytes[index] =
            (guint8)(g_ascii_xdigit_value(digits[2 * index]) << 4 | g_ascii_xdigit_value(digits[2 * index + 1]));
    return bytes;
}

// MARK: - Agents

static void received(NiceAgent *agent, guint stream, guint component, guint length, char *bytes, gpointer data) {
    Guest *guest = data;
    guest->received++;
    if (guest->heard == NULL || guest->heard_count == heard_limit) return;
    char *digits = hex((const guint8 *)bytes, length);
    g_string_append_printf(guest->heard, "%s%s", guest->heard_count++ ? "," : "", digits);
    g_free(digits);
}

static void gathered(NiceAgent *agent, guint stream, gpointer data) {
    Guest *guest = data;
    if (guest->opening == NULL) return;
    char *fragment = NULL, *password = NULL;
    nice_agent_get_local_credentials(agent, stream, &fragment, &password);
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "{\"ufrag\":\"%s\",\"pwd\":\"%s\",\"candidates\":[", fragment, password);
    GSList *candidates = nice_agent_get_local_candidates(agent, stream, 1);
    for (GSList *item = candidates; item; item = item->next) {
        char *line = nice_agent_generate_local_candidate_sdp(agent, item->data);
        const char *value = g_str_has_prefix(line, "a=candidate:") ? line + strlen("a=candidate:") : line;
        g_string_append_printf(text, "%s\"%s\"", item == candidates ? "" : ",", value);
        g_free(line);
    }
    g_string_append(text, "]}");
    char *digits = hex((const guint8 *)text->str, text->len);
    say("value %s %s\n", guest->opening, digits);
    say("done %s 1 %" G_GINT64_FORMAT "\n", guest->opening, g_get_monotonic_time() - guest->since);
    g_clear_pointer(&guest->opening, g_free);
    g_free(digits);
    g_string_free(text, TRUE);
    g_slist_free_full(candidates, (GDestroyNotify)nice_candidate_free);
    g_free(fragment);
    g_free(password);
}

static void answer(Guest *guest, int result) {
    if (guest->connecting == NULL) return;
    say("done %s %d %" G_GINT64_FORMAT "\n", guest->connecting, result, g_get_monotonic_time() - guest->since);
    g_clear_pointer(&guest->connecting, g_free);
}

static void changed(NiceAgent *agent, guint stream, guint component, guint state, gpointer data) {
    if (state == NICE_COMPONENT_STATE_CONNECTED || state == NICE_COMPONENT_STATE_READY) answer(data, 1);
    if (state == NICE_COMPONENT_STATE_FAILED) answer(data, 0);
}

// Also addresses of the loopback interface, as a network namespace may have no other one.
static void add_addresses(NiceAgent *agent) {
    GList *found = nice_interfaces_get_local_ips(TRUE);
    for (GList *item = found; item; item = item->next) {
        NiceAddress address;
        nice_address_init(&address);
        const char *text = item->data;
        if (g_str_has_prefix(text, "127.") || g_str_equal(text, "::1") || g_str_has_prefix(text, "fe80:")) continue;
        if (nice_address_set_from_string(&address, text)) nice_agent_add_local_address(agent, &address);
    }
    g_list_free_full(found, g_free);
}

static void open_guest(const char *tag, const char *name, gboolean is_controlling) {
    Guest *guest = g_new0(Guest, 1);
    guest->opening = g_strdup(tag);
    guest->since = g_get_monotonic_time();
    g_hash_table_insert(guests, g_strdup(name), guest);
    guest->agent = nice_agent_new_full(
        g_main_context_default(), NICE_COMPATIBILITY_RFC5245,
        NICE_AGENT_OPTION_REGULAR_NOMINATION | NICE_AGENT_OPTION_CONSENT_FRESHNESS);
    g_object_set(
        guest->agent, "controlling-mode", is_controlling, "upnp", FALSE, "ice-udp", !tcp, "ice-tcp", tcp,
        "force-relay", relay_only, NULL);
    if (stun_host) g_object_set(guest->agent, "stun-server", stun_host, "stun-server-port", stun_port, NULL);
    add_addresses(guest->agent);
    g_signal_connect(guest->agent, "candidate-gathering-done", G_CALLBACK(gathered), guest);
    g_signal_connect(guest->agent, "component-state-changed", G_CALLBACK(changed), guest);
    guest->stream = nice_agent_add_stream(guest->agent, 1);
    if (turn_host)
        nice_agent_set_relay_info(
            guest->agent, guest->stream, 1, turn_host, turn_port, "user", "pass",
            tcp ? NICE_RELAY_TYPE_TURN_TCP : NICE_RELAY_TYPE_TURN_UDP);
    nice_agent_attach_recv(guest->agent, guest->stream, 1, g_main_context_default(), received, guest);
    if (!nice_agent_gather_candidates(guest->agent, guest->stream)) {
        say("done %s 0\n", tag);
        g_clear_pointer(&guest->opening, g_free);
    }
}

static void forget(Guest *guest) {
    g_signal_handlers_disconnect_by_data(guest->agent, guest);
    nice_agent_attach_recv(guest->agent, guest->stream, 1, g_main_context_default(), NULL, NULL);
    nice_agent_remove_stream(guest->agent, guest->stream);
    g_object_unref(guest->agent);
    if (guest->heard) g_string_free(guest->heard, TRUE);
    g_free(guest->opening);
    g_free(guest->connecting);
    g_free(guest);
}

static void connect_guest(const char *tag, Guest *guest, const char *digits) {
    gsize length = 0;
    char *text = (char *)unhex(digits, &length);
    // Every second piece is a string, as nothing in them is ever escaped.
    char **pieces = g_strsplit(text, "\"", -1);
    const char *fragment = NULL, *password = NULL;
    GSList *candidates = NULL;
    gboolean is_list = FALSE;
    for (guint index = 1; pieces[index - 1] && pieces[index]; index += 2) {
        if (is_list) {
            char *line = g_strconcat("a=candidate:", pieces[index], NULL);
            NiceCandidate *candidate = nice_agent_parse_remote_candidate_sdp(guest->agent, guest->stream, line);
            if (candidate) candidates = g_slist_append(candidates, candidate);
            g_free(line);
        } else if (g_str_equal(pieces[index], "candidates")) {
            is_list = TRUE;
        } else if (pieces[index + 1] && pieces[index + 2]) {
            if (g_str_equal(pieces[index], "ufrag")) fragment = pieces[index + 2];
            if (g_str_equal(pieces[index], "pwd")) password = pieces[index + 2];
        }
    }
    guest->connecting = g_strdup(tag);
    guest->since = g_get_monotonic_time();
    gboolean is_usable =
        fragment && password
        && nice_agent_set_remote_credentials(guest->agent, guest->stream, fragment, password)
        && nice_agent_set_remote_candidates(guest->agent, guest->stream, 1, candidates) >= 0;
    if (!is_usable) answer(guest, 0);
    g_slist_free_full(candidates, (GDestroyNotify)nice_candidate_free);
    g_strfreev(pieces);
    g_free(text);
}

static const char *kind(const NiceCandidate *candidate) {
    switch (candidate->type) {
        case NICE_CANDIDATE_TYPE_HOST: return "host";
        case NICE_CANDIDATE_TYPE_SERVER_REFLEXIVE: return "srflx";
        case NICE_CANDIDATE_TYPE_PEER_REFLEXIVE: return "prflx";
        case NICE_CANDIDATE_TYPE_RELAYED: return "relay";
    }
    return "none";
}

static void tell_pair(const char *tag, Guest *guest) {
    NiceCandidate *local = NULL, *remote = NULL;
    gboolean is_ready =
        nice_agent_get_component_state(guest->agent, guest->stream, 1) == NICE_COMPONENT_STATE_READY
        && nice_agent_get_selected_pair(guest->agent, guest->stream, 1, &local, &remote);
    if (is_ready) {
        gboolean is_udp = local->transport == NICE_CANDIDATE_TRANSPORT_UDP;
        say("value %s %s/%s/%s\n", tag, kind(local), kind(remote), is_udp ? "udp" : "tcp");
    }
    say("done %s %d\n", tag, is_ready);
}

// MARK: - Data

static void send_one(const char *tag, Guest *guest, const char *digits) {
    gsize length = 0;
    guint8 *bytes = unhex(digits, &length);
    gint sent = nice_agent_send(guest->agent, guest->stream, 1, (guint)length, (char *)bytes);
    say("done %s %d\n", tag, sent == (gint)length);
    g_free(bytes);
}

static gboolean continue_blast(gpointer data) {
    Blast *blast = data;
    if (g_get_monotonic_time() < blast->end) {
        Guest *guest = blast->guest;
        gint sent = nice_agent_send_messages_nonblocking(
            guest->agent, guest->stream, 1, blast->messages, blast->burst, NULL, NULL);
        if (sent > 0) blast->sent += (guint)sent;
        return G_SOURCE_CONTINUE;
    }
    say("done %s %" G_GUINT64_FORMAT "\n", blast->tag, blast->sent);
    g_free((void *)blast->vectors[0].buffer);
    g_free(blast->vectors);
    g_free(blast->messages);
    g_free(blast->tag);
    g_free(blast);
    return G_SOURCE_REMOVE;
}

static void start_blast(const char *tag, Guest *guest, gsize size, double seconds, guint burst) {
    Blast *blast = g_new0(Blast, 1);
    blast->guest = guest;
    blast->tag = g_strdup(tag);
    blast->end = g_get_monotonic_time() + (gint64)(seconds * G_USEC_PER_SEC);
    blast->burst = CLAMP(burst, 1, burst_limit);
    blast->vectors = g_new0(GOutputVector, blast->burst);
    blast->messages = g_new0(NiceOutputMessage, blast->burst);
    char *content = g_malloc(size);
    memset(content, 'x', size);
    for (guint index = 0; index < blast->burst; index++) {
        blast->vectors[index] = (GOutputVector){content, size};
        blast->messages[index] = (NiceOutputMessage){&blast->vectors[index], 1};
    }
    g_idle_add_full(G_PRIORITY_DEFAULT, continue_blast, blast, NULL);
}

// MARK: - Commands

static void obey(char **words, guint count) {
    const char *verb = words[0], *tag = words[1];
    Guest *guest = count > 2 ? g_hash_table_lookup(guests, words[2]) : NULL;
    if (g_str_equal(verb, "open") && count == 4) {
        open_guest(tag, words[2], g_str_equal(words[3], "controlling"));
    } else if (guest == NULL) {
        say("done %s 0\n", tag);
    } else if (g_str_equal(verb, "remote") && count == 4) {
        connect_guest(tag, guest, words[3]);
    } else if (g_str_equal(verb, "pair")) {
        tell_pair(tag, guest);
    } else if (g_str_equal(verb, "send") && count == 4) {
        send_one(tag, guest, words[3]);
    } else if (g_str_equal(verb, "heard")) {
        if (guest->heard && guest->heard_count) say("value %s %s\n", tag, guest->heard->str);
        say("done %s %u\n", tag, guest->heard_count);
        if (guest->heard) g_string_free(guest->heard, TRUE);
        guest->heard = g_string_new(NULL);
        guest->heard_count = 0;
    } else if (g_str_equal(verb, "blast") && count == 6) {
        start_blast(tag, guest, strtoul(words[3], NULL, 10), g_ascii_strtod(words[4], NULL), (guint)atoi(words[5]));
    } else if (g_str_equal(verb, "count")) {
        say("done %s %" G_GUINT64_FORMAT "\n", tag, guest->received);
        guest->received = 0;
    } else if (g_str_equal(verb, "close")) {
        g_hash_table_remove(guests, words[2]);
        say("done %s 1\n", tag);
    } else {
        say("done %s 0\n", tag);
    }
}

static gboolean read_commands(gint descriptor, GIOCondition condition, gpointer data) {
    GString *unread = data;
    char piece[1 << 16];
    ssize_t count = read(descriptor, piece, sizeof piece);
    if (count <= 0) exit(0);
    g_string_append_len(unread, piece, count);
    char *end;
    while ((end = memchr(unread->str, '\n', unread->len))) {
        gsize length = (gsize)(end - unread->str);
        char *line = g_strndup(unread->str, length);
        g_string_erase(unread, 0, (gssize)length + 1);
        char **words = g_strsplit(line, " ", word_limit);
        guint number = g_strv_length(words);
        if (number >= 2) obey(words, number);
        g_strfreev(words);
        g_free(line);
    }
    return G_SOURCE_CONTINUE;
}

static void read_server(const char *text, char **host, guint *port) {
    const char *colon = text ? strrchr(text, ':') : NULL;
    if (colon == NULL) exit(64);
    *host = g_strndup(text, (gsize)(colon - text));
    *port = (guint)atoi(colon + 1);
}

int main(int count, char **words) {
    for (int index = 1; index < count; index++) {
        if (g_str_equal(words[index], "--stun")) read_server(words[++index], &stun_host, &stun_port);
        else if (g_str_equal(words[index], "--turn")) read_server(words[++index], &turn_host, &turn_port);
        else if (g_str_equal(words[index], "--relay-only")) relay_only = TRUE;
        else if (g_str_equal(words[index], "--tcp")) tcp = TRUE;
        else exit(64);
    }
    guests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)forget);
    g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, read_commands, g_string_new(NULL));
    g_main_loop_run(g_main_loop_new(NULL, FALSE));
}
