/*
 * Load for echo: raw TCP, one thread, epoll. It costs little, so that what is measured is the server.
 *
 *   load PORT PATH CONNECTIONS IN_FLIGHT SIZE text|binary|raw|FILE SECONDS WARMUP [QUIET [EXTENSIONS]]
 *
 * Frames are built and masked beforehand. `raw` sends them without a handshake, for a server that echoes bytes. A FILE
 * holds frames to send instead, each after its length in 4 bytes, little-endian. Replies of built frames are counted by
 * their bytes, whose number is fixed, and the first of every connection are compared byte by byte; replies to a FILE
 * are counted by their headers, and the first bytes of the first connection go to FILE.reply, to be checked there.
 * QUIET further connections have one message of 64 bytes in flight, and their own latencies.
 * Prints one line of JSON: messages, seconds, bytes of replies, latencies in microseconds, own processor time, errors.
 */
#include "net.h"

#define VERIFIED_REPLIES 64
#define KEPT_REPLY_BYTES (1 << 18)
#define HANDSHAKES_AT_ONCE 128

/* What a connection sends over and over, and what it expects. */
typedef struct {
  char *frames;
  /* Where each frame begins; the last entry is where all end. */
  size_t *offsets;
  uint64_t count;
  int in_flight;
  /* NULL when replies vary in length. */
  char *reply;
  size_t reply_length;
  latencies latency;
} traffic;

typedef struct {
  int fd;
  int upgraded;
  traffic *traffic;
  /* Position among the frames, and bytes that are due. */
  size_t at;
  size_t unsent;
  uint64_t received;
  uint64_t replies;
  /* Send times of the messages in flight, a ring. */
  uint64_t *sent_at;
  uint64_t sent;
  /* Reply frame being read: header bytes so far, payload bytes to come. */
  unsigned char header[10];
  int header_length;
  uint64_t payload;
  char head[2048];
  size_t head_length;
} connection;

static int raw, counting, from_file;
static uint64_t counted, reply_bytes;
static FILE *kept;
static size_t kept_length;

static traffic build(int opcode, int size, int in_flight) {
  traffic t = {.count = (uint64_t)in_flight, .in_flight = in_flight};
  char *payload = malloc((size_t)size);
  for (int i = 0; i < size; i++) payload[i] = (char)('a' + i % 26);
  t.frames = malloc((size_t)in_flight * ((size_t)size + 14));
  t.offsets = calloc((size_t)in_flight + 1, sizeof *t.offsets);
  size_t at = 0;
  for (int f = 0; f < in_flight; f++) {
    char key[4] = {(char)(17 + f), 42, (char)(99 - f), 7};
    size_t n = frame_header(t.frames + at, opcode, (size_t)size, 0x80);
    memcpy(t.frames + at + n, key, 4);
    for (int i = 0; i < size; i++) t.frames[at + n + 4 + (size_t)i] = (char)(payload[i] ^ key[i & 3]);
    at += n + 4 + (size_t)size;
    t.offsets[f + 1] = at;
  }
  if (raw) {
    /* Every frame comes back as it went; they are of one length. */
    t.reply = t.frames;
    t.reply_length = t.offsets[1];
  } else {
    t.reply = malloc((size_t)size + 14);
    size_t n = frame_header(t.reply, opcode, (size_t)size, 0);
    memcpy(t.reply + n, payload, (size_t)size);
    t.reply_length = n + (size_t)size;
  }
  free(payload);
  return t;
}

static traffic read_frames(const char *path, int in_flight) {
  traffic t = {.in_flight = in_flight};
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    perror(path);
    exit(2);
  }
  fseek(file, 0, SEEK_END);
  size_t size = (size_t)ftell(file);
  rewind(file);
  t.frames = malloc(size);
  t.offsets = calloc(size / 4 + 2, sizeof *t.offsets);
  unsigned char length[4];
  while (fread(length, 1, 4, file) == 4) {
    size_t n = length[0] | (size_t)length[1] << 8 | (size_t)length[2] << 16 | (size_t)length[3] << 24;
    if (fread(t.frames + t.offsets[t.count], 1, n, file) != n) exit(2);
    t.offsets[t.count + 1] = t.offsets[t.count] + n;
    t.count++;
  }
  fclose(file);
  return t;
}

static void flush_frames(connection *c) {
  traffic *t = c->traffic;
  size_t total = t->offsets[t->count];
  while (c->unsent > 0) {
    size_t run = total - c->at < c->unsent ? total - c->at : c->unsent;
    ssize_t n = write(c->fd, t->frames + c->at, run);
    if (n < 0) {
      if (errno != EAGAIN) fail(c->fd, strerror(errno));
      return;
    }
    c->unsent -= (size_t)n;
    c->at = (c->at + (size_t)n) % total;
  }
}

static void send_messages(connection *c, uint64_t count) {
  traffic *t = c->traffic;
  uint64_t now = now_ns();
  for (uint64_t i = 0; i < count; i++, c->sent++) {
    c->sent_at[c->sent % (uint64_t)t->in_flight] = now;
    uint64_t f = c->sent % t->count;
    c->unsent += t->offsets[f + 1] - t->offsets[f];
  }
  flush_frames(c);
}

static void on_replies(connection *c, uint64_t fresh) {
  if (fresh == 0) return;
  traffic *t = c->traffic;
  if (counting) {
    uint64_t now = now_ns();
    for (uint64_t i = 0; i < fresh; i++) {
      count_latency(&t->latency, now - c->sent_at[(c->replies + i) % (uint64_t)t->in_flight]);
    }
    counted += fresh;
  }
  c->replies += fresh;
  send_messages(c, fresh);
}

static void compare(connection *c, const char *bytes, size_t n) {
  traffic *t = c->traffic;
  size_t period = raw ? t->offsets[t->count] : t->reply_length;
  for (size_t i = 0; i < n;) {
    size_t at = (size_t)((c->received + i) % period);
    size_t run = period - at < n - i ? period - at : n - i;
    if (memcmp(bytes + i, t->reply + at, run) != 0) return fail(c->fd, "reply differs");
    i += run;
  }
}

/* Counts frames by their headers: data only, whole messages. */
static uint64_t parse(connection *c, const char *bytes, size_t n) {
  uint64_t ended = 0;
  size_t at = 0;
  while (at < n) {
    if (c->payload > 0) {
      size_t take = n - at < c->payload ? n - at : (size_t)c->payload;
      c->payload -= take;
      at += take;
      if (c->payload > 0) break;
    } else {
      c->header[c->header_length++] = (unsigned char)bytes[at++];
      if (c->header_length < 2) continue;
      int length = c->header[1] & 0x7f;
      int wanted = length == 127 ? 10 : length == 126 ? 4 : 2;
      if (c->header_length < wanted) continue;
      c->payload = wanted == 2 ? (uint64_t)length : 0;
      for (int i = 2; i < wanted; i++) c->payload = c->payload << 8 | c->header[i];
      c->header_length = 0;
      if ((c->header[0] & 0x0f) == 8) fail(c->fd, "closed by the server");
      if (c->payload > 0) continue;
    }
    int opcode = c->header[0] & 0x0f;
    if ((c->header[0] & 0x80) && opcode < 8) ended++;
  }
  return ended;
}

static void on_bytes(connection *c, const char *bytes, size_t n, int is_first) {
  traffic *t = c->traffic;
  if (counting) reply_bytes += n;
  if (t->reply == NULL) {
    if (is_first && kept_length < KEPT_REPLY_BYTES) kept_length += fwrite(bytes, 1, n, kept);
    on_replies(c, parse(c, bytes, n));
    return;
  }
  if (c->replies < VERIFIED_REPLIES) compare(c, bytes, n);
  c->received += n;
  on_replies(c, c->received / t->reply_length - c->replies);
}

/* Returns how much was read. */
static ssize_t on_readable(connection *c, char *buffer, size_t capacity, int is_first) {
  ssize_t n = read(c->fd, buffer, capacity);
  if (n <= 0) {
    if (n < 0 && errno == EAGAIN) return 0;
    fail(c->fd, n == 0 ? "ended by the server" : strerror(errno));
    close(c->fd);
    return 0;
  }
  if (c->upgraded) {
    on_bytes(c, buffer, (size_t)n, is_first);
    return n;
  }
  size_t room = sizeof c->head - 1 - c->head_length;
  size_t take = (size_t)n < room ? (size_t)n : room;
  memcpy(c->head + c->head_length, buffer, take);
  c->head_length += take;
  c->head[c->head_length] = 0;
  if (strstr(c->head, "\r\n\r\n") == NULL) return n;
  if (strncmp(c->head, "HTTP/1.1 101", 12) != 0) fail(c->fd, c->head);
  if (from_file && strcasestr(c->head, "permessage-deflate") == NULL) fail(c->fd, "no permessage-deflate");
  c->upgraded = 1;
  return n;
}

int main(int argc, char **argv) {
  if (argc < 9) {
    fprintf(stderr, "usage: load PORT PATH CONNECTIONS IN_FLIGHT SIZE text|binary|raw|FILE SECONDS WARMUP [QUIET [EXTENSIONS]]\n");
    return 2;
  }
  int port = atoi(argv[1]), busy = atoi(argv[3]), in_flight = atoi(argv[4]), size = atoi(argv[5]);
  const char *mode = argv[6];
  double seconds = atof(argv[7]), warmup = atof(argv[8]);
  int quiet = argc > 9 ? atoi(argv[9]) : 0;
  const char *extensions = argc > 10 ? argv[10] : "";
  raw = strcmp(mode, "raw") == 0;
  int opcode = strcmp(mode, "binary") == 0 ? 2 : 1;
  from_file = !raw && opcode == 1 && strcmp(mode, "text") != 0;
  traffic loud = from_file ? read_frames(mode, in_flight) : build(opcode, size, in_flight);
  traffic still = build(opcode, 64, 1);
  loud.latency.buckets = calloc(BUCKETS, sizeof(uint32_t));
  still.latency.buckets = calloc(BUCKETS, sizeof(uint32_t));
  if (from_file) {
    char path[4096];
    snprintf(path, sizeof path, "%s.reply", mode);
    kept = fopen(path, "wb");
  }
  raise_file_limit();

  int poll = epoll_create1(0);
  int connections = busy + quiet;
  connection *all = calloc((size_t)connections, sizeof *all);
  size_t capacity = 1 << 18;
  char *buffer = malloc(capacity);
  int upgraded = 0;
  uint64_t give_up = now_ns() + 30000000000ull;
  struct epoll_event events[256];
  for (int i = 0; i < connections || upgraded < connections;) {
    if (now_ns() > give_up || errors > 0) {
      fprintf(stderr, "%d of %d connections were opened\n", upgraded, connections);
      return 1;
    }
    for (; i < connections && i - upgraded < HANDSHAKES_AT_ONCE; i++) {
      connection *c = &all[i];
      c->traffic = i < busy ? &loud : &still;
      c->sent_at = calloc((size_t)c->traffic->in_flight, sizeof *c->sent_at);
      c->fd = dial(port, connections > 4096 ? (unsigned)i : 0);
      if (c->fd < 0) {
        perror("connect");
        return 1;
      }
      struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
      epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event);
      char request[1024];
      int n = upgrade_request(request, sizeof request, argv[2], port, extensions);
      if (raw) {
        c->upgraded = 1;
        upgraded++;
      } else if (write(c->fd, request, (size_t)n) != n) {
        fail(c->fd, "cannot write the request");
      }
    }
    if (upgraded == connections) break;
    int n = epoll_wait(poll, events, 256, 1000);
    for (int e = 0; e < n; e++) {
      connection *c = events[e].data.ptr;
      if (c->upgraded || !(events[e].events & EPOLLIN)) continue;
      on_readable(c, buffer, capacity, 0);
      upgraded += c->upgraded;
    }
  }
  for (int i = 0; i < connections; i++) send_messages(&all[i], (uint64_t)all[i].traffic->in_flight);

  uint64_t start = now_ns(), measured_from = 0;
  double cpu = 0;
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
    for (int i = 0; i < n; i++) {
      connection *c = events[i].data.ptr;
      if (c->unsent > 0 && (events[i].events & EPOLLOUT)) flush_frames(c);
      /* Edge-triggered: a read that filled the buffer may have left more. */
      if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        while (on_readable(c, buffer, capacity, c == all) == (ssize_t)capacity) {
        }
      }
    }
  }
  double took = (double)(now_ns() - measured_from) / 1e9;
  if (kept != NULL) fclose(kept);
  printf("{\"messages\":%llu,\"seconds\":%.3f,\"rate\":%.0f,\"bytes\":%llu,\"p50\":%llu,\"p99\":%llu,\"p999\":%llu,"
         "\"quietP50\":%llu,\"quietP99\":%llu,\"quietMessages\":%llu,\"loadCpu\":%.3f,\"errors\":%llu}\n",
         (unsigned long long)counted, took, (double)counted / took, (unsigned long long)reply_bytes,
         percentile(&loud.latency, 0.5), percentile(&loud.latency, 0.99), percentile(&loud.latency, 0.999),
         quiet ? percentile(&still.latency, 0.5) : 0, quiet ? percentile(&still.latency, 0.99) : 0,
         (unsigned long long)still.latency.counted, (own_cpu() - cpu) / took, (unsigned long long)errors);
  return errors > 0 || counted == 0 ? 1 : 0;
}
