/*
 * A host that means harm, for libFuzzer: whatever it sends, a device stays within its memory, answers in whole frames, and
 * hears the next frame. The first bytes choose the buffers' sizes. Without libFuzzer (ROUNDS defined) a generator of
 * pseudorandom numbers stands in for it, which prefers zeros, ones and the ends of COBS runs.
 */
#include "respire_bridge.h"

#include <stdlib.h>

static bool check_frame(void *context, const uint8_t *frame, size_t count)
{
    size_t i;
    uint8_t *taken = (uint8_t *)context;
    const size_t first = (frame[0] == 0) ? 1u : 0u;
    for (i = first; i < count; i++) {
        if ((frame[i] == 0) != (i == count - 1)) {
            abort();
        }
    }
    *taken = (uint8_t)(*taken * 5u + 1u);
    return (*taken & 0x10u) != 0; /* the port refuses about every other frame */
}

static void expect_ping_is_heard(rb_device_t *device)
{
    static const uint8_t ping[] = {0x00, 0x04, 0xa1, 0x86, 0x03, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01,
                                   0x01, 0x01, 0x01, 0x02, 0x08, 0x01, 0x0a, 0x01, 0x02, 0x03, 0x04,
                                   0x05, 0x06, 0x07, 0xef, 0x7d, 0x00};
    rb_frame_t frame = {0, 0, 0, NULL, 0};
    bool heard = false;
    size_t i;
    for (i = 0; i < sizeof ping; i++) {
        heard = rb_device_receive(device, ping[i], 0, &frame);
    }
    if (!heard || frame.type != RB_PING || frame.payload_bytes != 8) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const rb_tag_t info[] = {RB_INFO_MODEL("fuzzed"), RB_INFO_GAIN_CENTIBEL(-350)};
    const size_t out_bytes = (size < 2) ? 0u : 4u * data[0];
    const size_t in_bytes = (size < 2) ? 64u : 26u + 5u * data[1];
    uint8_t *out = (uint8_t *)malloc(out_bytes + 1);
    uint8_t *in = (uint8_t *)malloc(in_bytes);
    uint8_t taken = (size < 2) ? (uint8_t)0 : data[1];
    rb_device_t device;
    rb_frame_t frame = {0, 0, 0, NULL, 0};
    rb_result_t result;
    size_t i;
    rb_encoder_init(&device.encoder, out, out_bytes, check_frame, &taken);
    rb_receiver_init(&device.receiver, in, in_bytes);
    rb_device_init(&device, 1, 4000, info, 2);
    for (i = 2; i < size; i++) {
        if (rb_device_receive(&device, data[i], (uint32_t)(i << 16), &frame)) {
            (void)rb_read_result(&frame, &result);
            (void)rb_hello_minor_version(&frame);
        }
        rb_device_poll(&device, info, 2, (uint32_t)(i << 16));
    }
    expect_ping_is_heard(&device);
    free(in);
    free(out);
    return 0;
}

#ifdef ROUNDS
static uint32_t state = 1;

static uint8_t drawn(void)
{
    state = state * 1664525u + 1013904223u;
    switch (state >> 29) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return (uint8_t)(253u + (state >> 24) % 3u);
    default:
        return (uint8_t)(state >> 16);
    }
}

int main(void)
{
    static uint8_t data[4096];
    uint32_t round;
    size_t i;
    for (round = 0; round < ROUNDS; round++) {
        const size_t size = (round % 16u == 0) ? sizeof data : 64u;
        for (i = 0; i < size; i++) {
            data[i] = drawn();
        }
        (void)LLVMFuzzerTestOneInput(data, size);
    }
    return 0;
}
#endif
