/*
 * respire_bridge.h - the device's side of the respire-edge link, version 1.0. PROTOCOL.md says what the bytes mean.
 *
 * SPDX-License-Identifier: Apache-2.0
 * Copyright the respire-edge developers
 *
 * C99 or C++11, this one file, freestanding: no malloc, no stdio, no floating point, nothing to link. All memory is the
 * caller's. Bytes are placed one by one, so that neither alignment nor the processor's order of bytes matters.
 *
 * Three layers. Take the last, or only what lies below it:
 *   rb_encoder_t   a message in, a whole frame out, to a function that sends it or into a buffer
 *   rb_receiver_t  bytes in, one at a time, frames out
 *   rb_device_t    both, and what is answered when: HELLO, START, STOP, PING, silence, another major version
 *
 * Call everything from one context, such as the main loop or one task. An interrupt hands over samples and bytes
 * through a queue of the firmware's own and counts the blocks that found no room in it, for rb_samples_lost.
 *
 * Each rb_send_... returns the length of the frame in bytes, or 0: then nothing went out, `unsent_frames` has counted
 * it for STATUS, sound that was in it is a gap that the host knows of, and the next frame is read all the same.
 */
#ifndef RESPIRE_BRIDGE_H
#define RESPIRE_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What many functions call. Placed in each of them, the code would be far longer; and clang's -Os is not gcc's. */
#if defined(__clang__)
#define RB_SHARED __attribute__((unused, noinline, minsize))
#elif defined(__GNUC__)
#define RB_SHARED __attribute__((unused, noinline))
#else
#define RB_SHARED inline
#endif

#define RB_VERSION_MAJOR 1
#define RB_VERSION_MINOR 0

#define RB_HEADER_BYTES 16u
#define RB_CRC_BYTES 2u
#define RB_MAX_PAYLOAD_BYTES 1024u
#define RB_MAX_COBS_RUN 254u

/* The buffers of an encoder and of a receiver, for payloads of at most so many bytes. */
#define RB_BODY_BYTES(payload_bytes) (RB_HEADER_BYTES + (payload_bytes) + RB_CRC_BYTES)
#define RB_ENCODER_BYTES(payload_bytes) (RB_HEADROOM_BYTES + RB_BODY_BYTES(payload_bytes) + 1u)
#define RB_RECEIVER_BYTES(payload_bytes) RB_BODY_BYTES(payload_bytes)
/* In an encoder's buffer before the body: room for a delimiter and for what COBS adds, so that it works in place. */
#define RB_HEADROOM_BYTES 6u

/* Message types: section 4. */
#define RB_AUDIO 0x01u
#define RB_INFO 0x02u
#define RB_STATUS 0x03u
#define RB_EVENT 0x04u
#define RB_LOG 0x05u
#define RB_PONG 0x06u
#define RB_HELLO 0x81u
#define RB_START 0x82u
#define RB_STOP 0x83u
#define RB_RESULT 0x85u
#define RB_PING 0x86u

/* Codecs: section 6. */
#define RB_PCM16 1u
#define RB_PCM24 2u
#define RB_MULAW 3u
#define RB_IMA_ADPCM 4u

/* Flags of AUDIO: section 6. RB_FLAG_LOST_BEFORE is set by itself. */
#define RB_FLAG_CLIPPED 1u
#define RB_FLAG_LOST_BEFORE 2u
#define RB_FLAG_LIFTED_OFF 4u
#define RB_FLAG_LAST 8u

/* EVENT codes: section 4. */
#define RB_EVENT_BUTTON 1u
#define RB_EVENT_CONTACT_MADE 2u
#define RB_EVENT_CONTACT_LOST 3u
#define RB_EVENT_BATTERY_LOW 4u
#define RB_EVENT_FAULT 5u

/* Labels and flags of RESULT: section 4. */
#define RB_LABEL_NORMAL 0u
#define RB_LABEL_CRACKLE 1u
#define RB_LABEL_WHEEZE 2u
#define RB_LABEL_BOTH 3u
#define RB_LABEL_NONE 255u
#define RB_RESULT_REFUSED 1u
#define RB_RESULT_TOO_QUIET 2u
#define RB_RESULT_CLIPPED 4u
#define RB_RESULT_SOUND_MISSING 8u

/* States of a device: STATUS tag 6. */
#define RB_IDLE 0u
#define RB_STREAMING 1u

/* Periods of section 7 and section 4, in microseconds. */
#define RB_PING_TIMEOUT_US 10000000u
#define RB_INFO_PERIOD_US 5000000u
#define RB_STATUS_PERIOD_US 1000000u

/* One frame from the host. */
typedef struct {
    uint8_t type;
    uint16_t seq;
    uint32_t sample_index;  /* of RESULT: the sample after its window */
    const uint8_t *payload; /* in the receiver's buffer, until its next byte */
    size_t payload_bytes;
} rb_frame_t;

/*
 * Sends a whole frame: takes all of it and returns true, or takes nothing and returns false. It must not wait: ask the
 * port for its free space first. What it takes is copied, or has left, before the next frame is made.
 */
typedef bool (*rb_write_t)(void *context, const uint8_t *bytes, size_t count);

/* A body that is being written or received, in the caller's memory. */
typedef struct {
    uint8_t *bytes;
    size_t limit;
    size_t used; /* limit + 1: it did not fit */
} rb_body_t;

typedef struct {
    rb_body_t body;
    uint32_t sample_index;  /* of the next sample that is sent or lost */
    uint32_t overruns;      /* blocks of sound lost before they could be sent */
    uint32_t unsent_frames; /* that the port did not take, or that did not fit */
    uint16_t seq;           /* of the next frame */
    uint8_t type;           /* of the latest frame */
    const uint8_t *frame;   /* the latest frame, of the length that the function returned */
    rb_write_t write;
    void *context;
    bool lost_before;
    bool delimit_first;
} rb_encoder_t;

/*
 * One tag of INFO or STATUS (section 5): a number of `bytes` bytes, or so many bytes at `content`. Make them with the
 * macros below, in any order. Those that are left out have the meaning that section 5 gives them.
 */
typedef struct {
    uint8_t tag;
    uint8_t bytes;
    uint32_t number;
    const void *content; /* NULL: the number */
} rb_tag_t;

#define RB_TAG_NUMBER(tag, bytes, number) {(tag), (bytes), (uint32_t)(number), NULL}
#define RB_TAG_BYTES(tag, content, bytes) {(tag), (bytes), 0u, (content)}
/* Of a literal; compilers complain about more than 255 bytes. Other text is RB_TAG_BYTES with its length. */
#define RB_TAG_TEXT(tag, literal) {(tag), sizeof("" literal) - 1u, 0u, ("" literal)}

/* INFO, besides minor_version, boot_id and rate_numerator_hz, which rb_send_info writes. Text is a UTF-8 literal. */
#define RB_INFO_FIRMWARE(literal) RB_TAG_TEXT(2u, literal)
#define RB_INFO_MODEL(literal) RB_TAG_TEXT(3u, literal)
#define RB_INFO_DEVICE_ID(content, bytes) RB_TAG_BYTES(4u, content, bytes)
#define RB_INFO_RATE_DENOMINATOR(number) RB_TAG_NUMBER(7u, 4u, number)
#define RB_INFO_CHANNELS(number) RB_TAG_NUMBER(8u, 1u, number)
#define RB_INFO_BITS(number) RB_TAG_NUMBER(9u, 1u, number)
#define RB_INFO_FILTER(literal) RB_TAG_TEXT(10u, literal)
#define RB_INFO_GAIN_CENTIBEL(number) RB_TAG_NUMBER(11u, 2u, (int16_t)(number))
#define RB_INFO_CODECS(content, bytes) RB_TAG_BYTES(12u, content, bytes)
#define RB_INFO_MAX_PAYLOAD_BYTES(number) RB_TAG_NUMBER(13u, 2u, number)

/* STATUS, besides overruns, unsent_frames and state, which rb_send_status writes. */
#define RB_STATUS_BATTERY_PERCENT(number) RB_TAG_NUMBER(1u, 1u, number)
#define RB_STATUS_BUFFER_PERCENT(number) RB_TAG_NUMBER(3u, 1u, number)
#define RB_STATUS_TEMPERATURE_DECICELSIUS(number) RB_TAG_NUMBER(4u, 2u, (int16_t)(number))

/* ---- encoder: a message in, a whole frame out ----------------------------------------------------------------- */

static inline size_t rb_smaller(size_t one, size_t other)
{
    return (one < other) ? one : other;
}

/*
 * An encoder that hands its frames to `write`, from `out` of RB_ENCODER_BYTES(longest payload). Without `write` (NULL)
 * a frame lies at `frame` for the caller to send, who says rb_unsent where the port refuses it.
 */
static inline void rb_encoder_init(rb_encoder_t *e, uint8_t *out, size_t out_bytes, rb_write_t write, void *context)
{
    e->sample_index = 0u;
    e->overruns = 0u;
    e->unsent_frames = 0u;
    e->seq = 0u;
    e->type = 0u;
    e->frame = out;
    e->body.bytes = out;
    e->body.limit = rb_smaller(out_bytes, RB_ENCODER_BYTES(RB_MAX_PAYLOAD_BYTES));
    e->body.limit -= rb_smaller(e->body.limit, RB_CRC_BYTES + 1u);
    e->body.used = 0u;
    e->write = write;
    e->context = context;
    e->lost_before = false;
    e->delimit_first = false;
}

/* A port has opened: the next frame is preceded by a delimiter, so that nothing sent before can spoil it. */
static inline void rb_port_opened(rb_encoder_t *e)
{
    e->delimit_first = true;
}

/* The port did not take, or not wholly, the frame that lies at `frame`. */
static RB_SHARED void rb_unsent(rb_encoder_t *e)
{
    e->unsent_frames++;
    e->delimit_first = true;
    if (e->type == RB_AUDIO) {
        e->lost_before = true;
    }
}

/* START came: count samples from 0. */
static inline void rb_count_from_zero(rb_encoder_t *e)
{
    e->sample_index = 0u;
    e->lost_before = false;
}

/*
 * A block of so many samples of each channel was lost before it could be sent: an interrupt found no free buffer, or a
 * queue was full. Call it before what was taken after the loss is sent: the host then knows the gap and its length.
 */
static inline void rb_samples_lost(rb_encoder_t *e, uint32_t samples)
{
    e->sample_index += samples;
    e->overruns++;
    e->lost_before = true;
}

/* CRC-16/CCITT-FALSE, one byte further: x^16 + x^12 + x^5 + 1, by shifts instead of a table. */
static inline uint16_t rb_crc(uint16_t crc, uint8_t byte)
{
    uint32_t x = ((uint32_t)crc >> 8) ^ byte;
    x ^= x >> 4;
    return (uint16_t)(((uint32_t)crc << 8) ^ (x << 12) ^ (x << 5) ^ x);
}

static RB_SHARED void rb_put(rb_body_t *body, uint8_t byte)
{
    if (body->used < body->limit) {
        body->bytes[body->used] = byte;
        body->used++;
    } else {
        body->used = body->limit + 1u;
    }
}

/* The lowest so many bytes of a number, the least significant first. */
static RB_SHARED void rb_put_number(rb_body_t *body, uint32_t value, uint8_t bytes)
{
    uint32_t rest = value;
    uint8_t i;
    for (i = 0u; i < bytes; i++) {
        rb_put(body, (uint8_t)rest);
        rest >>= 8;
    }
}

static RB_SHARED void rb_put_bytes(rb_body_t *body, const uint8_t *bytes, size_t count)
{
    size_t i;
    for (i = 0u; i < count; i++) {
        rb_put(body, bytes[i]);
    }
}

/* The header; `sound` holds codec, flags and count. The payload follows, by rb_put and its like, and then rb_end. */
static RB_SHARED void rb_begin(rb_encoder_t *e, uint8_t type, uint32_t sample_index, uint32_t t_us, uint32_t sound)
{
    e->type = type;
    e->body.used = RB_HEADROOM_BYTES;
    rb_put_number(&e->body, 0xA0u | RB_VERSION_MAJOR | ((uint32_t)type << 8) | ((uint32_t)e->seq << 16), 4u);
    rb_put_number(&e->body, sample_index, 4u);
    rb_put_number(&e->body, t_us, 4u);
    rb_put_number(&e->body, sound, 4u);
}

/* A message other than AUDIO: rb_end fills in its count. */
static inline void rb_begin_message(rb_encoder_t *e, uint8_t type, uint32_t t_us)
{
    rb_begin(e, type, 0u, t_us, 0u);
}

static RB_SHARED uint16_t rb_crc_of(const uint8_t *bytes, size_t count)
{
    uint16_t crc = 0xFFFFu;
    size_t i;
    for (i = 0u; i < count; i++) {
        crc = rb_crc(crc, bytes[i]);
    }
    return crc;
}

/*
 * COBS (section 2) of the body, which ends at `end`, from out[1] on, between two delimiters. In place: before byte n of
 * the body it has written n + 2 + n / 254 bytes, and it reads at n + 6. Returns the end of the second delimiter.
 */
static inline uint8_t *rb_stuff(uint8_t *out, const uint8_t *end)
{
    const uint8_t *from;
    uint8_t *run = &out[1];
    uint8_t *to = &out[2];
    for (from = &out[RB_HEADROOM_BYTES]; from != end; from++) {
        const uint8_t byte = *from;
        /* A full run ends where a byte follows it: at the end of the body nothing stands behind it. */
        if ((to - run) > (ptrdiff_t)RB_MAX_COBS_RUN) {
            *run = (uint8_t)(to - run);
            run = to;
            to++;
        }
        *to = byte;
        if (byte == 0u) {
            *run = (uint8_t)(to - run);
            run = to;
        }
        to++;
    }
    *run = (uint8_t)(to - run);
    out[0] = 0u;
    *to = 0u;
    return &to[1];
}

static inline size_t rb_complete(rb_encoder_t *e)
{
    uint8_t *out = e->body.bytes;
    uint8_t *body = &out[RB_HEADROOM_BYTES];
    const size_t bytes = e->body.used - RB_HEADROOM_BYTES;
    uint16_t crc;
    if (e->type != RB_AUDIO) {
        body[14] = (uint8_t)(bytes - RB_HEADER_BYTES);
        body[15] = (uint8_t)((bytes - RB_HEADER_BYTES) >> 8);
    }
    crc = rb_crc_of(body, bytes);
    body[bytes] = (uint8_t)crc;
    body[bytes + 1u] = (uint8_t)(crc >> 8);
    e->frame = e->delimit_first ? out : &out[1];
    return (size_t)(rb_stuff(out, &body[bytes + RB_CRC_BYTES]) - e->frame);
}

/* The frame is completed and leaves. */
static RB_SHARED size_t rb_end(rb_encoder_t *e)
{
    size_t length = 0u;
    if (e->body.used <= e->body.limit) {
        length = rb_complete(e);
        if ((e->write != NULL) && !e->write(e->context, e->frame, length)) {
            length = 0u;
        }
    }
    e->seq++;
    e->delimit_first = false;
    if (length == 0u) {
        rb_unsent(e);
    }
    return length;
}

/* The header of AUDIO. */
static inline void rb_begin_audio(rb_encoder_t *e, uint8_t codec, uint8_t flags, uint16_t count, uint32_t t_us)
{
    const uint32_t all_flags = (uint32_t)flags | (e->lost_before ? RB_FLAG_LOST_BEFORE : 0u);
    rb_begin(e, (uint8_t)RB_AUDIO, e->sample_index, t_us, codec | (all_flags << 8) | ((uint32_t)count << 16));
    e->sample_index += count;
    e->lost_before = false; /* rb_unsent sets it again, should this frame not leave */
}

/*
 * AUDIO as PCM16: `count` samples of each of `channels`, interleaved, 5 to 40 ms of them. `flags`: RB_FLAG_CLIPPED
 * where one has reached the converter's end, RB_FLAG_LIFTED_OFF, RB_FLAG_LAST. `t_us`: when the last sample was taken.
 */
static inline size_t rb_send_pcm16(rb_encoder_t *e, const int16_t *samples, uint16_t count, uint8_t channels,
                                   uint8_t flags, uint32_t t_us)
{
    size_t i;
    const size_t all = (size_t)count * channels;
    rb_begin_audio(e, (uint8_t)RB_PCM16, flags, count, t_us);
    for (i = 0u; i < all; i++) {
        rb_put_number(&e->body, (uint16_t)samples[i], 2u);
    }
    return rb_end(e);
}

/* AUDIO in any codec, its payload as section 6 lays it out; `count` samples of each channel. */
static inline size_t rb_send_audio(rb_encoder_t *e, uint8_t codec, const uint8_t *payload, size_t payload_bytes,
                                   uint16_t count, uint8_t flags, uint32_t t_us)
{
    rb_begin_audio(e, codec, flags, count, t_us);
    rb_put_bytes(&e->body, payload, payload_bytes);
    return rb_end(e);
}

/* Any other message whose payload lies ready, such as one of a firmware's own types: 40 to 7F and C0 to FF. */
static RB_SHARED size_t rb_send_message(rb_encoder_t *e, uint8_t type, const uint8_t *payload, size_t payload_bytes,
                                        uint32_t t_us)
{
    rb_begin_message(e, type, t_us);
    rb_put_bytes(&e->body, payload, payload_bytes);
    return rb_end(e);
}

static RB_SHARED size_t rb_send_text(rb_encoder_t *e, uint8_t type, uint8_t code, const char *text, uint32_t t_us)
{
    const char *at = text;
    uint8_t byte = code;
    rb_begin_message(e, type, t_us);
    do {
        rb_put(&e->body, byte);
        byte = (uint8_t)*at;
        at++;
    } while (byte != 0u);
    return rb_end(e);
}

/* EVENT: RB_EVENT_..., and UTF-8 text, which may be empty. */
static inline size_t rb_send_event(rb_encoder_t *e, uint8_t code, const char *text, uint32_t t_us)
{
    return rb_send_text(e, (uint8_t)RB_EVENT, code, text, t_us);
}

/* LOG: severity of RFC 5424 (3 error, 4 warning, 6 information, 7 debugging), and UTF-8 text. */
static inline size_t rb_send_log(rb_encoder_t *e, uint8_t severity, const char *text, uint32_t t_us)
{
    return rb_send_text(e, (uint8_t)RB_LOG, severity, text, t_us);
}

/* PONG with the payload of the PING. */
static inline size_t rb_send_pong(rb_encoder_t *e, const rb_frame_t *ping, uint32_t t_us)
{
    return rb_send_message(e, (uint8_t)RB_PONG, ping->payload, ping->payload_bytes, t_us);
}

/* A tag that a message always has: an rb_tag_t without the pointer, which would cost stack and code. */
typedef struct {
    uint8_t tag;
    uint8_t bytes;
    uint32_t number;
} rb_own_tag_t;
#define RB_OWN_TAGS 3u

static inline void rb_put_tag(rb_body_t *body, const rb_tag_t *tag)
{
    rb_put(body, tag->tag);
    rb_put(body, tag->bytes);
    if (tag->content == NULL) {
        rb_put_number(body, tag->number, tag->bytes);
    } else {
        rb_put_bytes(body, (const uint8_t *)tag->content, tag->bytes);
    }
}

/* A message of RB_OWN_TAGS tags of its own and `count` of the firmware's. */
static RB_SHARED size_t rb_send_tags(rb_encoder_t *e, uint8_t type, const rb_own_tag_t *own, const rb_tag_t *tags,
                                     size_t count, uint32_t t_us)
{
    size_t i;
    rb_begin_message(e, type, t_us);
    for (i = 0u; i < RB_OWN_TAGS; i++) {
        rb_put(&e->body, own[i].tag);
        rb_put(&e->body, own[i].bytes);
        rb_put_number(&e->body, own[i].number, own[i].bytes);
    }
    for (i = 0u; i < count; i++) {
        rb_put_tag(&e->body, &tags[i]);
    }
    return rb_end(e);
}

/*
 * INFO. `boot_id`: random, new with each start, from a hardware random generator. `rate_numerator_hz`: what the crystal
 * gives, not the data sheet; not 0.
 */
static inline size_t rb_send_info(rb_encoder_t *e, uint32_t boot_id, uint32_t rate_numerator_hz, const rb_tag_t *tags,
                                  size_t count, uint32_t t_us)
{
    const rb_own_tag_t own[RB_OWN_TAGS] = {{1u, 1u, RB_VERSION_MINOR}, {5u, 4u, boot_id}, {6u, 4u, rate_numerator_hz}};
    return rb_send_tags(e, (uint8_t)RB_INFO, own, tags, count, t_us);
}

/* STATUS, with what the encoder has counted; `state`: RB_IDLE or RB_STREAMING. */
static inline size_t rb_send_status(rb_encoder_t *e, uint8_t state, const rb_tag_t *tags, size_t count, uint32_t t_us)
{
    const rb_own_tag_t own[RB_OWN_TAGS] = {{2u, 4u, e->overruns}, {5u, 4u, e->unsent_frames}, {6u, 1u, state}};
    return rb_send_tags(e, (uint8_t)RB_STATUS, own, tags, count, t_us);
}

/* ---- receiver: bytes in, frames out --------------------------------------------------------------------------- */

/* What rb_receive has found with a byte. */
#define RB_NOTHING 0u
#define RB_FRAME 1u
#define RB_FOREIGN_VERSION 2u /* a whole frame of another major version: answer with INFO and nothing else */

typedef struct {
    rb_body_t body;
    uint32_t frames;
    uint32_t damaged; /* pieces with wrong COBS, length or CRC; a boot loader's text counts as one */
    uint32_t foreign_versions;
    uint8_t run;  /* what this COBS run began with; 0 before the first */
    uint8_t left; /* bytes of it that have not come */
} rb_receiver_t;

/* What came since the last delimiter is forgotten. */
static inline void rb_receiver_reset(rb_receiver_t *r)
{
    r->body.used = 0u;
    r->run = 0u;
    r->left = 0u;
}

/* `body` of RB_RECEIVER_BYTES(longest payload). Say that payload in INFO: RB_INFO_MAX_PAYLOAD_BYTES. 64 is enough. */
static inline void rb_receiver_init(rb_receiver_t *r, uint8_t *body, size_t body_bytes)
{
    r->body.bytes = body;
    r->body.limit = rb_smaller(body_bytes, RB_BODY_BYTES(RB_MAX_PAYLOAD_BYTES));
    r->frames = 0u;
    r->damaged = 0u;
    r->foreign_versions = 0u;
    rb_receiver_reset(r);
}

/* A little-endian number of so many bytes. */
static inline uint32_t rb_number(const uint8_t *bytes, uint8_t count)
{
    uint32_t value = 0u;
    uint8_t i;
    for (i = count; i > 0u; i--) {
        value = (value << 8) | bytes[i - 1u];
    }
    return value;
}

static inline bool rb_body_is_whole(const rb_body_t *body)
{
    const size_t checked = body->used - RB_CRC_BYTES;
    return (body->used >= RB_BODY_BYTES(0u)) && (body->used <= body->limit) &&
           (rb_number(&body->bytes[checked], RB_CRC_BYTES) == rb_crc_of(body->bytes, checked));
}

static inline void rb_read_header(const rb_receiver_t *r, rb_frame_t *frame)
{
    const uint8_t *body = r->body.bytes;
    frame->type = body[1];
    frame->seq = (uint16_t)rb_number(&body[2], 2u);
    frame->sample_index = rb_number(&body[4], 4u);
    frame->payload = &body[RB_HEADER_BYTES];
    frame->payload_bytes = r->body.used - RB_BODY_BYTES(0u);
}

/* A delimiter has come. */
static RB_SHARED uint8_t rb_end_of_piece(rb_receiver_t *r, rb_frame_t *frame)
{
    uint8_t found = (uint8_t)RB_NOTHING;
    if (r->run == 0u) {
        /* several delimiters in a row mean nothing */
    } else if ((r->left != 0u) || !rb_body_is_whole(&r->body)) {
        r->damaged++;
    } else if (r->body.bytes[0] != (uint8_t)(0xA0u | RB_VERSION_MAJOR)) {
        r->foreign_versions++;
        found = (uint8_t)RB_FOREIGN_VERSION;
    } else {
        r->frames++;
        rb_read_header(r, frame);
        found = (uint8_t)RB_FRAME;
    }
    rb_receiver_reset(r);
    return found;
}

/* The next byte from the host. RB_FRAME: it has completed `frame`, which is left as it was otherwise. */
static inline uint8_t rb_receive(rb_receiver_t *r, uint8_t byte, rb_frame_t *frame)
{
    if (byte == 0u) {
        return rb_end_of_piece(r, frame);
    }
    if (r->left > 0u) {
        rb_put(&r->body, byte);
        r->left--;
    } else {
        /* Between two runs stands a zero, but not behind a full one. */
        if ((r->run != 0u) && (r->run <= RB_MAX_COBS_RUN)) {
            rb_put(&r->body, 0u);
        }
        r->run = byte;
        r->left = (uint8_t)(byte - 1u);
    }
    return (uint8_t)RB_NOTHING;
}

/* ---- what frames from the host mean --------------------------------------------------------------------------- */

/* What the host heard in the window that ends before `end_sample`; never anything about a patient. */
typedef struct {
    uint32_t end_sample;
    uint32_t window_ms;
    uint8_t label; /* RB_LABEL_...; RB_LABEL_NONE where the window was refused */
    uint8_t confidence_percent;
    uint8_t flags; /* RB_RESULT_... */
} rb_result_t;

/* false where the frame is no RESULT or is too short; later versions may be longer. */
static inline bool rb_read_result(const rb_frame_t *frame, rb_result_t *result)
{
    if ((frame->type != RB_RESULT) || (frame->payload_bytes < 8u)) {
        return false;
    }
    result->end_sample = frame->sample_index;
    result->window_ms = rb_number(frame->payload, 4u);
    result->label = frame->payload[4];
    result->confidence_percent = frame->payload[5];
    result->flags = frame->payload[6];
    return true;
}

/*
 * The content of the last such tag, and in `bytes` its length; NULL where there is none. Where `*bytes` is not 0, a tag
 * of another length is skipped, as section 5 wants it.
 */
static inline const uint8_t *rb_find_tag(const rb_frame_t *frame, uint8_t tag, uint8_t *bytes)
{
    const uint8_t *found = NULL;
    const uint8_t wanted = *bytes;
    size_t at = 0u;
    while ((at + 2u) <= frame->payload_bytes) {
        const uint8_t length = frame->payload[at + 1u];
        if ((at + 2u + length) > frame->payload_bytes) {
            break;
        }
        if ((frame->payload[at] == tag) && ((wanted == 0u) || (length == wanted))) {
            found = &frame->payload[at + 2u];
            *bytes = length;
        }
        at += 2u + (size_t)length;
    }
    return found;
}

static inline uint8_t rb_tag_u8(const rb_frame_t *frame, uint8_t tag, uint8_t if_absent)
{
    uint8_t bytes = 1u;
    const uint8_t *content = rb_find_tag(frame, tag, &bytes);
    return (content != NULL) ? content[0] : if_absent;
}

/* HELLO: the host's minor version. Its name, for a display: rb_find_tag with tag 2. */
static inline uint8_t rb_hello_minor_version(const rb_frame_t *hello)
{
    return rb_tag_u8(hello, 1u, 0u);
}

/* START: the codec that the host asks for. */
static inline uint8_t rb_start_codec(const rb_frame_t *start)
{
    return rb_tag_u8(start, 1u, (uint8_t)RB_PCM16);
}

/* ---- device: what is answered, and when (section 7) ----------------------------------------------------------- */

typedef struct {
    rb_encoder_t encoder;
    rb_receiver_t receiver;
    uint32_t boot_id;
    uint32_t rate_numerator_hz;
    const rb_tag_t *info;
    size_t info_tags;
    uint8_t state; /* RB_IDLE or RB_STREAMING: send AUDIO only in the latter */
    uint8_t codec; /* that the host asked for */
    uint32_t ping_us;
    uint32_t info_us;
    uint32_t status_us;
} rb_device_t;

/* After its encoder and receiver. What INFO says: see rb_send_info; the tags are kept, not copied. */
static inline void rb_device_init(rb_device_t *d, uint32_t boot_id, uint32_t rate_numerator_hz, const rb_tag_t *info,
                                  size_t info_tags)
{
    d->boot_id = boot_id;
    d->rate_numerator_hz = rate_numerator_hz;
    d->info = info;
    d->info_tags = info_tags;
    d->state = (uint8_t)RB_IDLE;
    d->codec = (uint8_t)RB_PCM16;
    d->ping_us = 0u;
    d->info_us = 0u;
    d->status_us = 0u;
}

static RB_SHARED size_t rb_device_send_info(rb_device_t *d, uint32_t now_us)
{
    d->info_us = now_us;
    return rb_send_info(&d->encoder, d->boot_id, d->rate_numerator_hz, d->info, d->info_tags, now_us);
}

/* The port carries bytes now: USB's DTR is set, a client is connected, on Bluetooth notifications are on. Says INFO. */
static inline void rb_device_opened(rb_device_t *d, uint32_t now_us)
{
    rb_port_opened(&d->encoder);
    (void)rb_device_send_info(d, now_us);
}

/* The port has closed; half a frame that came before it did is forgotten. */
static inline void rb_device_closed(rb_device_t *d)
{
    d->state = (uint8_t)RB_IDLE;
    rb_receiver_reset(&d->receiver);
}

static inline void rb_device_start(rb_device_t *d, uint8_t codec, uint32_t now_us)
{
    rb_count_from_zero(&d->encoder);
    d->codec = codec;
    d->state = (uint8_t)RB_STREAMING;
    d->ping_us = now_us;
    d->status_us = now_us;
}

static inline void rb_device_answer(rb_device_t *d, const rb_frame_t *frame, uint32_t now_us)
{
    switch (frame->type) {
    case RB_HELLO:
        (void)rb_device_send_info(d, now_us);
        break;
    case RB_START:
        rb_device_start(d, rb_start_codec(frame), now_us);
        break;
    case RB_STOP:
        d->state = (uint8_t)RB_IDLE;
        break;
    case RB_PING:
        d->ping_us = now_us;
        (void)rb_send_pong(&d->encoder, frame, now_us);
        break;
    default: /* RESULT is the firmware's to show; unknown types are skipped */
        break;
    }
}

/*
 * The next byte from the host, answered. true: `frame` holds what it has completed, for the firmware to act on too:
 * RB_START and RB_STOP switch the converter, RB_RESULT goes to a lamp by rb_read_result.
 */
static inline bool rb_device_receive(rb_device_t *d, uint8_t byte, uint32_t now_us, rb_frame_t *frame)
{
    const uint8_t found = rb_receive(&d->receiver, byte, frame);
    if (found == RB_FRAME) {
        rb_device_answer(d, frame, now_us);
    } else if (found == RB_FOREIGN_VERSION) {
        (void)rb_device_send_info(d, now_us);
    } else {
        /* in the middle of a frame */
    }
    return found == RB_FRAME;
}

/* `since_us` may lie a little after `now_us`, where the clock was read before a byte that came later was answered. */
static inline bool rb_is_due(uint32_t now_us, uint32_t since_us, uint32_t period_us)
{
    const uint32_t elapsed_us = now_us - since_us;
    return (elapsed_us >= period_us) && (elapsed_us < 0x80000000u);
}

/*
 * Call it often. It repeats INFO and STATUS while streaming, and stops where no PING has come for 10 s. `status`: what
 * STATUS says besides what is counted.
 */
static inline void rb_device_poll(rb_device_t *d, const rb_tag_t *status, size_t status_tags, uint32_t now_us)
{
    if ((d->state == RB_STREAMING) && rb_is_due(now_us, d->ping_us, RB_PING_TIMEOUT_US)) {
        d->state = (uint8_t)RB_IDLE;
    }
    if ((d->state == RB_STREAMING) && rb_is_due(now_us, d->info_us, RB_INFO_PERIOD_US)) {
        (void)rb_device_send_info(d, now_us);
    }
    if ((d->state == RB_STREAMING) && rb_is_due(now_us, d->status_us, RB_STATUS_PERIOD_US)) {
        d->status_us = now_us;
        (void)rb_send_status(&d->encoder, d->state, status, status_tags, now_us);
    }
}

#ifdef __cplusplus
}
#endif

#endif /* RESPIRE_BRIDGE_H */
