/*
 * A device for the tests of respire_bridge.h: obeys the commands of standard input, a line each, and says what happened.
 * Numbers are decimal, bytes hexadecimal, "-" stands for none. Compiled as C99 and as C++11.
 *
 *   memory OUT_BYTES IN_BYTES write|buffer   tag TAG WIDTH NUMBER   bytes TAG HEX   identity BOOT_ID RATE_HZ
 *   pcm16 COUNT CHANNELS FLAGS T_US LITTLE_ENDIAN_HEX   audio CODEC COUNT FLAGS T_US HEX
 *   info T_US   status STATE T_US   event CODE T_US HEX   log SEVERITY T_US HEX   pong T_US HEX   message TYPE T_US HEX
 *   counters OVERRUNS UNSENT SEQ SAMPLE_INDEX   lost SAMPLES   refuse WRITES   unsent   opened T_US   closed
 *   receive HEX   feed NOW_US HEX   poll NOW_US   show
 */
#include "respire_bridge.h"
#include "respire_bridge.h" /* again, as two headers of a firmware would */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rb_device_t device;
static rb_tag_t tags[32];
static size_t tag_count;
static uint8_t contents[32][256];
static char line[1u << 18];
static unsigned long refusals;

static void print_bytes(const char *what, const uint8_t *at, size_t count)
{
    size_t i;
    printf("%s ", what);
    for (i = 0; i < count; i++) {
        printf("%02x", at[i]);
    }
    printf(count == 0 ? "-\n" : "\n");
}

static uint32_t number(void)
{
    const char *word = strtok(NULL, " \n");
    return word == NULL ? 0u : (uint32_t)strtoul(word, NULL, 10);
}

/* The last word of a command, as bytes; a copy of exactly their size, so that a sanitizer sees what reads beyond. */
static uint8_t *hexadecimal(size_t *count)
{
    const char *word = strtok(NULL, " \n");
    char two[3] = {0, 0, 0};
    uint8_t *copy;
    size_t i;
    *count = (word == NULL || *word == '-') ? 0 : strlen(word) / 2;
    copy = (uint8_t *)malloc(*count + 1);
    for (i = 0; i < *count; i++) {
        two[0] = word[2 * i];
        two[1] = word[2 * i + 1];
        copy[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    copy[*count] = 0; /* text ends here */
    return copy;
}

static bool write_frame(void *context, const uint8_t *frame, size_t count)
{
    (void)context;
    if (refusals > 0) {
        refusals--;
        return false;
    }
    print_bytes("wire", frame, count);
    return true;
}

static void say_length(size_t length)
{
    if (device.encoder.write == NULL && length > 0) {
        print_bytes("wire", device.encoder.frame, length);
    }
    printf("length %lu\n", (unsigned long)length);
}

static void set_memory(void)
{
    static uint8_t *out = NULL;
    static uint8_t *in = NULL;
    const size_t out_bytes = number();
    const size_t in_bytes = number();
    const bool writes = strcmp(strtok(NULL, " \n"), "write") == 0;
    free(out);
    free(in);
    out = (uint8_t *)malloc(out_bytes + (out_bytes == 0));
    in = (uint8_t *)malloc(in_bytes + (in_bytes == 0));
    rb_encoder_init(&device.encoder, out, out_bytes, writes ? write_frame : NULL, NULL);
    rb_receiver_init(&device.receiver, in, in_bytes);
}

static void set_tag(bool is_number)
{
    const uint8_t tag = (uint8_t)number();
    rb_tag_t *set = &tags[tag_count];
    set->tag = tag;
    set->content = NULL;
    if (is_number) {
        set->bytes = (uint8_t)number();
        set->number = number();
    } else {
        size_t count;
        uint8_t *content = hexadecimal(&count);
        memcpy(contents[tag_count], content, count);
        free(content);
        set->bytes = (uint8_t)count;
        set->content = contents[tag_count];
    }
    tag_count++;
}

static void send_pcm16(uint16_t count, uint8_t channels, uint8_t flags, uint32_t t_us)
{
    size_t given;
    size_t i;
    uint8_t *little_endian = hexadecimal(&given);
    int16_t *samples = (int16_t *)malloc(given + 1);
    for (i = 0; i < given / 2; i++) {
        samples[i] = (int16_t)(uint16_t)(little_endian[2 * i] | (little_endian[2 * i + 1] << 8));
    }
    say_length(rb_send_pcm16(&device.encoder, samples, count, channels, flags, t_us));
    free(samples);
    free(little_endian);
}

/* A message of which `first` is codec, code, severity or type. */
static void send(const char *what, uint8_t first, uint16_t count, uint8_t flags, uint32_t t_us)
{
    size_t given;
    uint8_t *payload = hexadecimal(&given);
    rb_encoder_t *e = &device.encoder;
    rb_frame_t ping = {RB_PING, 0, 0, payload, (uint16_t)given};
    if (strcmp(what, "audio") == 0) {
        say_length(rb_send_audio(e, first, payload, given, count, flags, t_us));
    } else if (strcmp(what, "event") == 0) {
        say_length(rb_send_event(e, first, (const char *)payload, t_us));
    } else if (strcmp(what, "log") == 0) {
        say_length(rb_send_log(e, first, (const char *)payload, t_us));
    } else if (strcmp(what, "pong") == 0) {
        say_length(rb_send_pong(e, &ping, t_us));
    } else {
        say_length(rb_send_message(e, first, payload, given, t_us));
    }
    free(payload);
}

static void say_frame(const rb_frame_t *frame)
{
    rb_result_t result;
    uint8_t host_bytes = 0;
    printf("frame %u %u %lu ", frame->type, frame->seq, (unsigned long)frame->sample_index);
    print_bytes("payload", frame->payload, frame->payload_bytes);
    if (rb_read_result(frame, &result)) {
        printf("result %lu %lu %u %u %u\n", (unsigned long)result.end_sample, (unsigned long)result.window_ms, result.label,
               result.confidence_percent, result.flags);
    }
    if (frame->type == RB_HELLO) {
        const uint8_t *host = rb_find_tag(frame, 2, &host_bytes);
        printf("hello %u ", rb_hello_minor_version(frame));
        print_bytes("host", host, host == NULL ? 0 : host_bytes);
    }
    if (frame->type == RB_START) {
        printf("start %u\n", rb_start_codec(frame));
    }
}

static void take_bytes(bool answered, uint32_t now_us)
{
    rb_frame_t frame = {0, 0, 0, NULL, 0};
    size_t given;
    size_t i;
    uint8_t *came = hexadecimal(&given);
    for (i = 0; i < given; i++) {
        if (answered ? rb_device_receive(&device, came[i], now_us, &frame)
                     : (rb_receive(&device.receiver, came[i], &frame) == RB_FRAME)) {
            say_frame(&frame);
        }
    }
    free(came);
}

static void set_counters(void)
{
    device.encoder.overruns = number();
    device.encoder.unsent_frames = number();
    device.encoder.seq = (uint16_t)number();
    device.encoder.sample_index = number();
}

static void show(void)
{
    const rb_encoder_t *e = &device.encoder;
    const rb_receiver_t *r = &device.receiver;
    printf("received %lu damaged %lu foreign %lu state %u codec %u ", (unsigned long)r->frames, (unsigned long)r->damaged,
           (unsigned long)r->foreign_versions, device.state, device.codec);
    printf("sample_index %lu overruns %lu unsent %lu seq %u\n", (unsigned long)e->sample_index, (unsigned long)e->overruns,
           (unsigned long)e->unsent_frames, e->seq);
}

/* Whether `word` is a command of the session or of the test's own; the others send. */
static bool obeyed(const char *word)
{
    if (strcmp(word, "memory") == 0) {
        set_memory();
    } else if (strcmp(word, "tag") == 0 || strcmp(word, "bytes") == 0) {
        set_tag(word[0] == 't');
    } else if (strcmp(word, "identity") == 0) {
        const uint32_t boot_id = number();
        rb_device_init(&device, boot_id, number(), tags, tag_count);
    } else if (strcmp(word, "counters") == 0) {
        set_counters();
    } else if (strcmp(word, "lost") == 0) {
        rb_samples_lost(&device.encoder, number());
    } else if (strcmp(word, "refuse") == 0) {
        refusals = number();
    } else if (strcmp(word, "unsent") == 0) {
        rb_unsent(&device.encoder);
    } else if (strcmp(word, "opened") == 0) {
        rb_device_opened(&device, number());
    } else if (strcmp(word, "closed") == 0) {
        rb_device_closed(&device);
    } else if (strcmp(word, "receive") == 0) {
        take_bytes(false, 0);
    } else if (strcmp(word, "feed") == 0) {
        take_bytes(true, number());
    } else if (strcmp(word, "poll") == 0) {
        rb_device_poll(&device, tags, tag_count, number());
    } else if (strcmp(word, "show") == 0) {
        show();
    } else {
        return false;
    }
    return true;
}

static void send_as_told(const char *word)
{
    rb_encoder_t *e = &device.encoder;
    const bool has_first = (strcmp(word, "info") != 0) && (strcmp(word, "pong") != 0) && (strcmp(word, "pcm16") != 0);
    const bool is_sound = (strcmp(word, "audio") == 0) || (strcmp(word, "pcm16") == 0);
    const uint8_t first = has_first ? (uint8_t)number() : (uint8_t)0;
    const uint16_t count = is_sound ? (uint16_t)number() : (uint16_t)0;
    const uint8_t channels = (strcmp(word, "pcm16") == 0) ? (uint8_t)number() : (uint8_t)0;
    const uint8_t flags = is_sound ? (uint8_t)number() : (uint8_t)0;
    const uint32_t t_us = number();
    if (strcmp(word, "pcm16") == 0) {
        send_pcm16(count, channels, flags, t_us);
    } else if (strcmp(word, "info") == 0) {
        say_length(rb_send_info(e, device.boot_id, device.rate_numerator_hz, tags, tag_count, t_us));
    } else if (strcmp(word, "status") == 0) {
        say_length(rb_send_status(e, first, tags, tag_count, t_us));
    } else {
        send(word, first, count, flags, t_us);
    }
}

int main(void)
{
    while (fgets(line, (int)sizeof line, stdin) != NULL) {
        const char *word = strtok(line, " \n");
        if (word != NULL && !obeyed(word)) {
            send_as_told(word);
        }
    }
    return 0;
}
