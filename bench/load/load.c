/*
 * Load for echo benchmarks: raw TCP, one thread, epoll. It costs little, so that what is measured is the server.
 *
 *   load PORT PATH CONNECTIONS IN_FLIGHT SIZE text|binary|raw SECONDS [WARMUP_SECONDS]
 *
 * Frames are built and masked beforehand; `raw` sends them without a handshake, for a server that echoes bytes.
 * Replies are counted by their bytes, whose number per message is fixed; the first replies of every connection are
 * compared byte by byte. Prints one line of JSON: messages, seconds, latency percentiles in microseconds, errors.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define VERIFIED_REPLIES 64

typedef struct {
  int fd;
  int upgraded;
  /* Bytes of the current batch still to write. */
  size_t unsent;
  /* Position in the stream of reply bytes. */
  uint64_t received;
  uint64_t replies;
  /* Send times of the messages in flight, a ring. */
  uint64_t *sent_at;
  uint64_t sent;
  char head[2048];
  size_t head_length;
} connection;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + t.tv_nsec;
}

static int in_flight, size, raw;
static char *frames;        /* IN_FLIGHT masked frames, one after the other */
static size_t frame_length; /* of one of them */
static char *reply;         /* one expected reply */
static size_t reply_length;
static uint64_t errors;

/* Latencies in buckets of 1 us up to 1 s. */
#define BUCKETS 1000000
static uint32_t *latency;
static uint64_t counted;
static int counting;

static size_t header(char *at, int opcode, size_t length, int mask) {
  size_t n = 2;
  at[0] = (char)(0x80 | opcode);
  if (length < 126) {
    at[1] = (char)(mask | length);
  } else if (length < 65536) {
    at[1] = (char)(mask | 126);
    at[2] = (char)(length >> 8);
    at[3] = (char)length;
    n = 4;
  } else {
    at[1] = (char)(mask | 127);
    for (int i = 0; i < 8; i++) at[2 + i] = (char)((uint64_t)length >> (56 - 8 * i));
    n = 10;
  }
  return n;
}

static void build(int opcode) {
  char *payload = malloc(size);
  for (int i = 0; i < size; i++) payload[i] = (char)('a' + i % 26);
  frames = malloc((size_t)in_flight * (size + 14));
  size_t at = 0;
  for (int f = 0; f < in_flight; f++) {
    char key[4] = {(char)(17 + f), 42, (char)(99 - f), 7};
    size_t n = header(frames + at, opcode, size, 0x80);
    memcpy(frames + at + n, key, 4);
    for (int i = 0; i < size; i++) frames[at + n + 4 + i] = (char)(payload[i] ^ key[i & 3]);
    frame_length = n + 4 + size;
    at += frame_length;
  }
  if (raw) {
    reply = frames;
    reply_length = frame_length;
  } else {
    reply = malloc(size + 14);
    size_t n = header(reply, opcode, size, 0);
    memcpy(reply + n, payload, size);
    reply_length = n + size;
  }
}

static void fail(connection *c, const char *what) {
  errors++;
  if (errors < 5) fprintf(stderr, "connection %d: %s\n", c->fd, what);
}

/* Writes what is unsent of the frames that were due; frames repeat every IN_FLIGHT. */
static void flush_frames(connection *c) {
  while (c->unsent > 0) {
    size_t total = (size_t)in_flight * frame_length;
    size_t sent_bytes = (size_t)((c->sent * frame_length - c->unsent) % total);
    size_t run = total - sent_bytes < c->unsent ? total - sent_bytes : c->unsent;
    ssize_t n = write(c->fd, frames + sent_bytes, run);
    if (n < 0) {
      if (errno != EAGAIN) fail(c, strerror(errno));
      return;
    }
    c->unsent -= (size_t)n;
  }
}

static void send_messages(connection *c, int count) {
  uint64_t t = now_ns();
  for (int i = 0; i < count; i++) c->sent_at[(c->sent + (uint64_t)i) % (uint64_t)in_flight] = t;
  c->sent += (uint64_t)count;
  c->unsent += (size_t)count * frame_length;
  flush_frames(c);
}

static void on_bytes(connection *c, const char *bytes, size_t n) {
  if (c->replies < VERIFIED_REPLIES) {
    size_t at = (size_t)(c->received % reply_length);
    for (size_t i = 0; i < n; i++) {
      /* In raw mode the frames differ in their keys only from one to the next. */
      char expected = raw ? frames[(c->received + i) % ((size_t)in_flight * frame_length)] : reply[(at + i) % reply_length];
      if (bytes[i] != expected) {
        fail(c, "reply differs");
        break;
      }
    }
  }
  c->received += n;
  uint64_t done = c->received / reply_length;
  int fresh = (int)(done - c->replies);
  if (fresh == 0) return;
  if (counting) {
    uint64_t t = now_ns();
    for (uint64_t i = c->replies; i < done; i++) {
      uint64_t us = (t - c->sent_at[i % (uint64_t)in_flight]) / 1000;
      latency[us < BUCKETS ? us : BUCKETS - 1]++;
    }
    counted += (uint64_t)fresh;
  }
  c->replies = done;
  send_messages(c, fresh);
}

static void on_readable(connection *c, char *buffer, size_t capacity) {
  ssize_t n = read(c->fd, buffer, capacity);
  if (n <= 0) {
    if (n < 0 && errno == EAGAIN) return;
    fail(c, n == 0 ? "closed by the server" : strerror(errno));
    close(c->fd);
    return;
  }
  if (c->upgraded) {
    on_bytes(c, buffer, (size_t)n);
    return;
  }
  size_t room = sizeof c->head - 1 - c->head_length;
  size_t take = (size_t)n < room ? (size_t)n : room;
  memcpy(c->head + c->head_length, buffer, take);
  c->head_length += take;
  c->head[c->head_length] = 0;
  if (strstr(c->head, "\r\n\r\n") == NULL) return;
  if (strncmp(c->head, "HTTP/1.1 101", 12) != 0) fail(c, c->head);
  c->upgraded = 1;
  send_messages(c, in_flight);
}

static uint64_t percentile(double share) {
  uint64_t wanted = (uint64_t)((double)counted * share), seen = 0;
  for (int i = 0; i < BUCKETS; i++) {
    seen += latency[i];
    if (seen > wanted) return (uint64_t)i;
  }
  return BUCKETS;
}

int main(int argc, char **argv) {
  if (argc < 8) {
    fprintf(stderr, "usage: load PORT PATH CONNECTIONS IN_FLIGHT SIZE text|binary|raw SECONDS [WARMUP]\n");
    return 2;
  }
  int port = atoi(argv[1]);
  int connections = atoi(argv[3]);
  in_flight = atoi(argv[4]);
  size = atoi(argv[5]);
  raw = strcmp(argv[6], "raw") == 0;
  double seconds = atof(argv[7]), warmup = argc > 8 ? atof(argv[8]) : 1;
  build(strcmp(argv[6], "binary") == 0 ? 2 : 1);
  latency = calloc(BUCKETS, sizeof *latency);

  int poll = epoll_create1(0);
  connection *all = calloc((size_t)connections, sizeof *all);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  for (int i = 0; i < connections; i++) {
    connection *c = &all[i];
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    c->sent_at = calloc((size_t)in_flight, sizeof *c->sent_at);
    if (connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0) {
      perror("connect");
      return 1;
    }
    int one = 1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event);
    if (raw) {
      c->upgraded = 1;
    } else {
      char request[512];
      int n = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                       argv[2], port);
      if (write(c->fd, request, (size_t)n) != n) fail(c, "cannot write the request");
    }
  }
  if (raw) for (int i = 0; i < connections; i++) send_messages(&all[i], in_flight);

  size_t capacity = 1 << 18;
  char *buffer = malloc(capacity);
  struct epoll_event events[256];
  uint64_t start = now_ns(), measured_from = 0, end = start + (uint64_t)((warmup + seconds) * 1e9);
  for (;;) {
    uint64_t t = now_ns();
    if (!counting && t > start + (uint64_t)(warmup * 1e9)) {
      counting = 1;
      measured_from = t;
      /* The harness reads the server's CPU time between these two lines. */
      printf("{\"begin\":true}\n");
      fflush(stdout);
    }
    if (t > end || errors > 100) break;
    int n = epoll_wait(poll, events, 256, 100);
    for (int i = 0; i < n; i++) {
      connection *c = events[i].data.ptr;
      if (c->unsent > 0 && (events[i].events & EPOLLOUT)) flush_frames(c);
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        /* Edge-triggered: a read that filled the buffer may have left more. */
        uint64_t before;
        do {
          before = c->received;
          on_readable(c, buffer, capacity);
        } while (c->received - before == capacity);
      }
    }
  }
  double took = (double)(now_ns() - measured_from) / 1e9;
  printf("{\"messages\":%llu,\"seconds\":%.3f,\"rate\":%.0f,\"p50\":%llu,\"p99\":%llu,\"p999\":%llu,\"errors\":%llu}\n",
         (unsigned long long)counted, took, (double)counted / took, (unsigned long long)percentile(0.5),
         (unsigned long long)percentile(0.99), (unsigned long long)percentile(0.999), (unsigned long long)errors);
  return errors > 0 ? 1 : 0;
}
