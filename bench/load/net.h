/* What the load generators share: time, frames, latencies, and a start that does not overrun the server's backlog. */
#ifndef NET_H
#define NET_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

static inline uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* Processor time of this process so far, in seconds. */
static inline double own_cpu(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* As many files as the machine lets this process have. */
static inline void raise_file_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* Sixteen source addresses: one of them has 28,000 ports, and a closed one rests for a minute. */
static inline int dial(int port, unsigned which) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return -1;
  int one = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001u + which % 16)};
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
    close(fd);
    return -1;
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static inline int upgrade_request(char *at, size_t capacity, const char *path, int port, const char *extensions) {
  return snprintf(at, capacity,
                  "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n",
                  path, port, *extensions ? "Sec-WebSocket-Extensions: " : "", extensions, *extensions ? "\r\n" : "");
}

static inline size_t frame_header(char *at, int opcode, size_t length, int mask) {
  at[0] = (char)(0x80 | opcode);
  if (length < 126) {
    at[1] = (char)(mask | (int)length);
    return 2;
  }
  if (length < 65536) {
    at[1] = (char)(mask | 126);
    at[2] = (char)(length >> 8);
    at[3] = (char)length;
    return 4;
  }
  at[1] = (char)(mask | 127);
  for (int i = 0; i < 8; i++) at[2 + i] = (char)((uint64_t)length >> (56 - 8 * i));
  return 10;
}

/* Latencies in buckets of 1 us up to 1 s. */
#define BUCKETS 1000000
typedef struct {
  uint32_t *buckets;
  uint64_t counted;
} latencies;

static inline void count_latency(latencies *l, uint64_t ns) {
  uint64_t us = ns / 1000;
  l->buckets[us < BUCKETS ? us : BUCKETS - 1]++;
  l->counted++;
}

static inline unsigned long long percentile(const latencies *l, double share) {
  uint64_t wanted = (uint64_t)((double)l->counted * share), seen = 0;
  for (int i = 0; i < BUCKETS; i++) {
    seen += l->buckets[i];
    if (seen > wanted) return (unsigned long long)i;
  }
  return BUCKETS;
}

static uint64_t errors;

static inline void fail(int fd, const char *what) {
  errors++;
  if (errors < 5) fprintf(stderr, "connection %d: %.200s\n", fd, what);
}

/* The harness reads the server's processor time when it sees this line, and again at the last one. */
static inline void say_begin(void) {
  printf("{\"begin\":true}\n");
  fflush(stdout);
}

#endif
