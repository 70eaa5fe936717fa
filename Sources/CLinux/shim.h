#pragma once
// What Swift's Glibc module leaves out. _GNU_SOURCE must stay undefined here: with it, debug builds clash on fd_set.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/prctl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <net/if.h>
#include <ifaddrs.h>
#include <errno.h>
#include <time.h>
#include <linux/errqueue.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netdb.h>
#include <stdint.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

// Hidden behind _GNU_SOURCE in <sys/socket.h>: declared again under our own names.
struct clinux_mmsghdr {
    struct msghdr msg_hdr;
    unsigned int msg_len;
};
extern int clinux_recvmmsg(int, struct clinux_mmsghdr *, unsigned, int, struct timespec *) __asm__("recvmmsg");
extern int clinux_sendmmsg(int, struct clinux_mmsghdr *, unsigned, int) __asm__("sendmmsg");
extern int clinux_accept4(int, struct sockaddr *, socklen_t *, int) __asm__("accept4");
extern const char *clinux_error_name(int) __asm__("strerrorname_np");
extern const char *clinux_error_text(int) __asm__("strerrordesc_np");

// Macros and variadic functions that Swift cannot call.
static inline struct cmsghdr *clinux_cmsg_first(struct msghdr *message) { return CMSG_FIRSTHDR(message); }
static inline struct cmsghdr *clinux_cmsg_next(struct msghdr *message, struct cmsghdr *header) {
    return CMSG_NXTHDR(message, header);
}
static inline void *clinux_cmsg_data(struct cmsghdr *header) { return CMSG_DATA(header); }
static inline size_t clinux_cmsg_space(size_t count) { return CMSG_SPACE(count); }
static inline size_t clinux_cmsg_len(size_t count) { return CMSG_LEN(count); }
// Room for one control message that says the length of each datagram in a train (UDP_SEGMENT).
struct clinux_segment_control {
    struct cmsghdr header;
    uint16_t size;
    uint16_t padding[3];
};
static inline void clinux_set_segment(struct msghdr *message, struct clinux_segment_control *control, uint16_t size) {
    if (size == 0) {
        message->msg_control = NULL;
        message->msg_controllen = 0;
        return;
    }
    memset(control, 0, sizeof *control);
    control->header.cmsg_level = IPPROTO_UDP;
    control->header.cmsg_type = 103;
    control->header.cmsg_len = CMSG_LEN(sizeof control->size);
    control->size = size;
    message->msg_control = control;
    message->msg_controllen = CMSG_SPACE(sizeof control->size);
}
// Room for one control message that says how long the datagrams are that arrived as one (UDP_GRO), and what it says; 0 where
// one datagram arrived.
struct clinux_train_control {
    struct cmsghdr header;
    int32_t size;
    int32_t padding;
};
static inline void clinux_expect_train(struct msghdr *message, struct clinux_train_control *control) {
    message->msg_control = control;
    message->msg_controllen = sizeof *control;
}
static inline int32_t clinux_train_size(struct msghdr *message) {
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (header == NULL || header->cmsg_level != IPPROTO_UDP || header->cmsg_type != 104) return 0;
    int32_t size;
    memcpy(&size, CMSG_DATA(header), sizeof size);
    return size;
}
static inline int clinux_accept_trains(int descriptor) {
    int on = 1;
    return setsockopt(descriptor, IPPROTO_UDP, 104, &on, sizeof on);
}
static inline int clinux_timerslack(unsigned long nanoseconds) { return prctl(PR_SET_TIMERSLACK, nanoseconds); }
static inline int clinux_name_thread(const char *name) { return prctl(PR_SET_NAME, name); }
static inline int clinux_open_null(void) { return open("/dev/null", O_RDONLY | O_CLOEXEC); }
static inline int clinux_open_for_reading(const char *path) { return open(path, O_RDONLY | O_CLOEXEC); }

// A socket address as words in host order. `family` is AF_INET (address in the low word of `low`), AF_INET6, or another
// one with nothing filled in.
struct clinux_address {
    int family;
    uint16_t port;
    uint32_t scope;
    uint64_t high;
    uint64_t low;
};

static inline socklen_t clinux_pack(const struct clinux_address *from, struct sockaddr_storage *to) {
    memset(to, 0, sizeof *to);
    if (from->family == AF_INET) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)to;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(from->port);
        v4->sin_addr.s_addr = htonl((uint32_t)from->low);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(from->port);
    v6->sin6_scope_id = from->scope;
    for (int index = 0; index < 8; index++) {
        v6->sin6_addr.s6_addr[index] = (uint8_t)(from->high >> (56 - 8 * index));
        v6->sin6_addr.s6_addr[8 + index] = (uint8_t)(from->low >> (56 - 8 * index));
    }
    return sizeof *v6;
}

static inline struct clinux_address clinux_unpack(const void *from, socklen_t length) {
    struct clinux_address to = {0};
    sa_family_t family;
    if (from == NULL || length < sizeof family) return to;
    memcpy(&family, from, sizeof family);
    if (family == AF_INET && length >= sizeof(struct sockaddr_in)) {
        struct sockaddr_in v4;
        memcpy(&v4, from, sizeof v4);
        to.family = AF_INET;
        to.port = ntohs(v4.sin_port);
        to.low = ntohl(v4.sin_addr.s_addr);
    } else if (family == AF_INET6 && length >= sizeof(struct sockaddr_in6)) {
        struct sockaddr_in6 v6;
        memcpy(&v6, from, sizeof v6);
        to.family = AF_INET6;
        to.port = ntohs(v6.sin6_port);
        to.scope = v6.sin6_scope_id;
        for (int index = 0; index < 8; index++) {
            to.high = to.high << 8 | v6.sin6_addr.s6_addr[index];
            to.low = to.low << 8 | v6.sin6_addr.s6_addr[8 + index];
        }
    }
    return to;
}

// The calls whose pointer arguments Swift would have to rebind.
static inline int clinux_bind(int descriptor, const struct clinux_address *address) {
    struct sockaddr_storage storage;
    socklen_t length = clinux_pack(address, &storage);
    return bind(descriptor, (struct sockaddr *)&storage, length);
}
static inline int clinux_connect(int descriptor, const struct clinux_address *address) {
    struct sockaddr_storage storage;
    socklen_t length = clinux_pack(address, &storage);
    return connect(descriptor, (struct sockaddr *)&storage, length);
}
static inline ssize_t clinux_sendto(int descriptor, const void *bytes, size_t count, const struct clinux_address *to) {
    struct sockaddr_storage storage;
    socklen_t length = clinux_pack(to, &storage);
    return sendto(descriptor, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&storage, length);
}
// Has the kernel keep reports about datagrams sent earlier, with the destination of each.
static inline int clinux_keep_reports(int descriptor, int family) {
    int on = 1;
    if (family == AF_INET) return setsockopt(descriptor, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    return setsockopt(descriptor, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
}
// Fetches one of these reports: where the datagram went, and the error; 0 for one that is not of the network (ICMP).
// Returns -1 when there is none.
static inline int clinux_next_report(int descriptor, struct clinux_address *destination, int *error) {
    struct sockaddr_storage storage;
    union {
        struct cmsghdr header;
        char bytes[256];
    } control;
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_name = &storage;
    message.msg_namelen = sizeof storage;
    message.msg_control = &control;
    message.msg_controllen = sizeof control;
    if (recvmsg(descriptor, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return -1;
    *destination = clinux_unpack(&storage, message.msg_namelen);
    *error = 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
        int isReport = (header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR) ||
                       (header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR);
        struct sock_extended_err report;
        if (!isReport || header->cmsg_len < CMSG_LEN(sizeof report)) continue;
        memcpy(&report, CMSG_DATA(header), sizeof report);
        if (report.ee_origin == SO_EE_ORIGIN_ICMP || report.ee_origin == SO_EE_ORIGIN_ICMP6) *error = report.ee_errno;
    }
    return 0;
}
// Joins or leaves a multicast group on one interface; the group's own family says which option.
static inline int clinux_membership(int descriptor, int joins, const struct clinux_address *group, uint32_t interface) {
    struct group_req request;
    memset(&request, 0, sizeof request);
    request.gr_interface = interface;
    clinux_pack(group, &request.gr_group);
    int level = group->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    return setsockopt(descriptor, level, joins ? MCAST_JOIN_GROUP : MCAST_LEAVE_GROUP, &request, sizeof request);
}
// Chooses the interface that datagrams to groups leave through.
static inline int clinux_multicast_interface(int descriptor, int family, uint32_t interface) {
    if (family == AF_INET6) {
        return setsockopt(descriptor, IPPROTO_IPV6, IPV6_MULTICAST_IF, &interface, sizeof interface);
    }
    struct ip_mreqn request;
    memset(&request, 0, sizeof request);
    request.imr_ifindex = (int)interface;
    return setsockopt(descriptor, IPPROTO_IP, IP_MULTICAST_IF, &request, sizeof request);
}
// A socket that the kernel tells of changed links and addresses.
static inline int clinux_open_link_news(void) {
    int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (descriptor < 0) return -1;
    struct sockaddr_nl address;
    memset(&address, 0, sizeof address);
    address.nl_family = AF_NETLINK;
    address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0) return descriptor;
    int error = errno;
    close(descriptor);
    errno = error;
    return -1;
}
static inline int clinux_local_address(int descriptor, struct clinux_address *address) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    if (getsockname(descriptor, (struct sockaddr *)&storage, &length) != 0) return -1;
    *address = clinux_unpack(&storage, length);
    return 0;
}
static inline int clinux_remote_address(int descriptor, struct clinux_address *address) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    if (getpeername(descriptor, (struct sockaddr *)&storage, &length) != 0) return -1;
    *address = clinux_unpack(&storage, length);
    return 0;
}
static inline int clinux_accept(int descriptor, struct clinux_address *address) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    int accepted = clinux_accept4(descriptor, (struct sockaddr *)&storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted >= 0) *address = clinux_unpack(&storage, length);
    return accepted;
}

// Hidden behind _GNU_SOURCE in <netdb.h>.
static const int clinux_no_data = -5;
static const int clinux_no_address_family = -9;

// Hidden in <netinet/in.h> of older C libraries.
static const int clinux_ip_multicast_all = 49;
static const int clinux_ipv6_multicast_all = 29;
