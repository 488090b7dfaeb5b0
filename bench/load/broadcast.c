/*
 * Load for fan-out: MEMBERS connections join a topic, the first of them also publishes to it; every member, the
 * publisher too, gets every message.
 *
 *   broadcast PORT PATH MEMBERS IN_FLIGHT SIZE SECONDS WARMUP
 *
 * The next message goes out when all members have the one IN_FLIGHT before it. Deliveries are counted by their bytes;
 * the first of every member are compared byte by byte. Latency is from a publish to its last delivery.
 */
#include "net.h"

#define VERIFIED_DELIVERIES 8
#define HANDSHAKES_AT_ONCE 128
#define IN_FLIGHT_LIMIT 1024

typedef struct {
  int fd;
  int upgraded;
  uint64_t received;
  char head[2048];
  size_t head_length;
} member;

static char frame[70000], delivery[70000];
static size_t frame_length, delivery_length;
static uint64_t counted, published, completed, total, members;
static uint64_t sent_at[IN_FLIGHT_LIMIT];
static uint64_t in_flight;
static latencies latency;
static int counting;

static void publish(int fd) {
  while (published - completed < in_flight) {
    sent_at[published++ % in_flight] = now_ns();
    size_t at = 0;
    while (at < frame_length) {
      ssize_t n = write(fd, frame + at, frame_length - at);
      if (n > 0) at += (size_t)n;
      else if (errno != EAGAIN) return fail(fd, strerror(errno));
    }
  }
}

static void on_readable(member *m, char *buffer, size_t capacity) {
  ssize_t n = read(m->fd, buffer, capacity);
  if (n <= 0) {
    if (n < 0 && errno == EAGAIN) return;
    fail(m->fd, n == 0 ? "ended by the server" : strerror(errno));
    close(m->fd);
    return;
  }
  if (!m->upgraded) {
    size_t room = sizeof m->head - 1 - m->head_length;
    size_t take = (size_t)n < room ? (size_t)n : room;
    memcpy(m->head + m->head_length, buffer, take);
    m->head_length += take;
    m->head[m->head_length] = 0;
    if (strstr(m->head, "\r\n\r\n") == NULL) return;
    if (strncmp(m->head, "HTTP/1.1 101", 12) != 0) fail(m->fd, m->head);
    m->upgraded = 1;
    return;
  }
  if (m->received < VERIFIED_DELIVERIES * delivery_length) {
    for (ssize_t i = 0; i < n; i++) {
      if (buffer[i] == delivery[(m->received + (uint64_t)i) % delivery_length]) continue;
      fail(m->fd, "delivery differs");
      break;
    }
  }
  uint64_t before = m->received / delivery_length;
  m->received += (uint64_t)n;
  uint64_t fresh = m->received / delivery_length - before;
  total += fresh;
  if (counting) counted += fresh;
}

int main(int argc, char **argv) {
  if (argc < 8) {
    fprintf(stderr, "usage: broadcast PORT PATH MEMBERS IN_FLIGHT SIZE SECONDS WARMUP\n");
    return 2;
  }
  int port = atoi(argv[1]), size = atoi(argv[5]);
  members = (uint64_t)atoi(argv[3]);
  in_flight = (uint64_t)atoi(argv[4]);
  double seconds = atof(argv[6]), warmup = atof(argv[7]);
  if (in_flight > IN_FLIGHT_LIMIT || size > 65535) return 2;
  latency.buckets = calloc(BUCKETS, sizeof(uint32_t));
  size_t at = frame_header(frame, 1, (size_t)size, 0x80);
  const char key[4] = {17, 42, 99, 7};
  memcpy(frame + at, key, 4);
  for (int i = 0; i < size; i++) frame[at + 4 + (size_t)i] = (char)(('a' + i % 26) ^ key[i & 3]);
  frame_length = at + 4 + (size_t)size;
  at = frame_header(delivery, 1, (size_t)size, 0);
  for (int i = 0; i < size; i++) delivery[at + (size_t)i] = (char)('a' + i % 26);
  delivery_length = at + (size_t)size;
  raise_file_limit();

  int poll = epoll_create1(0);
  member *all = calloc(members, sizeof *all);
  size_t capacity = 1 << 17;
  char *buffer = malloc(capacity);
  struct epoll_event events[256];
  uint64_t upgraded = 0, give_up = now_ns() + 30000000000ull;
  for (uint64_t i = 0; upgraded < members;) {
    if (now_ns() > give_up || errors > 0) {
      fprintf(stderr, "%llu of %llu members joined\n", (unsigned long long)upgraded, (unsigned long long)members);
      return 1;
    }
    for (; i < members && i - upgraded < HANDSHAKES_AT_ONCE; i++) {
      all[i].fd = dial(port, 0);
      if (all[i].fd < 0) {
        perror("connect");
        return 1;
      }
      struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};
      epoll_ctl(poll, EPOLL_CTL_ADD, all[i].fd, &event);
      char request[512];
      int n = upgrade_request(request, sizeof request, argv[2], port, "");
      if (write(all[i].fd, request, (size_t)n) != n) fail(all[i].fd, "cannot write the request");
    }
    int n = epoll_wait(poll, events, 256, 1000);
    for (int e = 0; e < n; e++) {
      member *m = events[e].data.ptr;
      int was = m->upgraded;
      on_readable(m, buffer, capacity);
      upgraded += (uint64_t)(m->upgraded - was);
    }
  }
  /* A handler may join a moment after its 101. */
  usleep(200000);

  uint64_t start = now_ns(), measured_from = 0;
  double cpu = 0;
  publish(all[0].fd);
  for (;;) {
    uint64_t t = now_ns();
    if (!counting && t > start + (uint64_t)(warmup * 1e9)) {
      counting = 1;
      measured_from = t;
      cpu = own_cpu();
      say_begin();
    }
    if ((counting && t > measured_from + (uint64_t)(seconds * 1e9)) || errors > 100) break;
    int n = epoll_wait(poll, events, 256, 100);
    for (int i = 0; i < n; i++) on_readable(events[i].data.ptr, buffer, capacity);
    uint64_t done = total / members;
    if (done == completed) continue;
    t = now_ns();
    for (; completed < done; completed++) {
      if (counting) count_latency(&latency, t - sent_at[completed % in_flight]);
    }
    publish(all[0].fd);
  }
  double took = (double)(now_ns() - measured_from) / 1e9;
  printf("{\"messages\":%llu,\"seconds\":%.3f,\"rate\":%.0f,\"p50\":%llu,\"p99\":%llu,\"p999\":%llu,\"loadCpu\":%.3f,\"errors\":%llu}\n",
         (unsigned long long)counted, took, (double)counted / took, percentile(&latency, 0.5),
         percentile(&latency, 0.99), percentile(&latency, 0.999), (own_cpu() - cpu) / took, (unsigned long long)errors);
  return errors > 0 || counted == 0 ? 1 : 0;
}
