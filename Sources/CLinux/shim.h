#pragma once
// What Swift's Glibc module leaves out. _GNU_SOURCE must stay undefined here: with it, debug builds clash on fd_set.
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/prctl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <net/if.h>
#include <ifaddrs.h>

// Hidden behind _GNU_SOURCE in <sys/socket.h>: declared again under our own names.
struct clinux_mmsghdr {
    struct msghdr msg_hdr;
    unsigned int msg_len;
};
extern int clinux_recvmmsg(int, struct clinux_mmsghdr *, unsigned, int, struct timespec *) __asm__("recvmmsg");
extern int clinux_sendmmsg(int, struct clinux_mmsghdr *, unsigned, int) __asm__("sendmmsg");

// Macros that Swift cannot call.
static inline struct cmsghdr *clinux_cmsg_first(struct msghdr *message) { return CMSG_FIRSTHDR(message); }
static inline struct cmsghdr *clinux_cmsg_next(struct msghdr *message, struct cmsghdr *header) {
    return CMSG_NXTHDR(message, header);
}
static inline void *clinux_cmsg_data(struct cmsghdr *header) { return CMSG_DATA(header); }
static inline size_t clinux_cmsg_space(size_t count) { return CMSG_SPACE(count); }
static inline size_t clinux_cmsg_len(size_t count) { return CMSG_LEN(count); }
static inline int clinux_timerslack(unsigned long nanoseconds) { return prctl(PR_SET_TIMERSLACK, nanoseconds); }
