/*
 * What a firmware calls, for `size`: every message to the host, the receiver and RESULT; with WITH_SESSION rb_device_t too.
 * Each function passes its arguments on, so that hardly anything but the header's code is counted.
 */
#include "respire_bridge.h"

extern size_t send_sound(rb_encoder_t *e, const int16_t *samples, uint16_t count, uint32_t now_us);
extern size_t send_info(rb_encoder_t *e, uint32_t boot_id, uint32_t rate_hz, const rb_tag_t *tags, size_t count,
                        uint32_t now_us);
extern size_t send_status(rb_encoder_t *e, uint8_t state, const rb_tag_t *tags, size_t count, uint32_t now_us);
extern size_t send_event(rb_encoder_t *e, uint8_t code, const char *text, uint32_t now_us);
extern size_t send_log(rb_encoder_t *e, uint8_t severity, const char *text, uint32_t now_us);
extern size_t send_pong(rb_encoder_t *e, const rb_frame_t *ping, uint32_t now_us);
extern uint8_t receive(rb_receiver_t *r, uint8_t byte, rb_frame_t *frame);
extern bool read_result(const rb_frame_t *frame, rb_result_t *result);

size_t send_sound(rb_encoder_t *e, const int16_t *samples, uint16_t count, uint32_t now_us)
{
    return rb_send_pcm16(e, samples, count, 1, 0, now_us);
}

size_t send_info(rb_encoder_t *e, uint32_t boot_id, uint32_t rate_hz, const rb_tag_t *tags, size_t count,
                 uint32_t now_us)
{
    return rb_send_info(e, boot_id, rate_hz, tags, count, now_us);
}

size_t send_status(rb_encoder_t *e, uint8_t state, const rb_tag_t *tags, size_t count, uint32_t now_us)
{
    return rb_send_status(e, state, tags, count, now_us);
}

size_t send_event(rb_encoder_t *e, uint8_t code, const char *text, uint32_t now_us)
{
    return rb_send_event(e, code, text, now_us);
}

size_t send_log(rb_encoder_t *e, uint8_t severity, const char *text, uint32_t now_us)
{
    return rb_send_log(e, severity, text, now_us);
}

size_t send_pong(rb_encoder_t *e, const rb_frame_t *ping, uint32_t now_us)
{
    return rb_send_pong(e, ping, now_us);
}

uint8_t receive(rb_receiver_t *r, uint8_t byte, rb_frame_t *frame)
{
    return rb_receive(r, byte, frame);
}

bool read_result(const rb_frame_t *frame, rb_result_t *result)
{
    return rb_read_result(frame, result);
}

#ifdef WITH_SESSION
extern bool answer(rb_device_t *d, uint8_t byte, uint32_t now_us, rb_frame_t *frame);
extern void poll(rb_device_t *d, const rb_tag_t *status, size_t count, uint32_t now_us);
extern void opened(rb_device_t *d, uint32_t now_us);
extern void closed(rb_device_t *d);

bool answer(rb_device_t *d, uint8_t byte, uint32_t now_us, rb_frame_t *frame)
{
    return rb_device_receive(d, byte, now_us, frame);
}

void poll(rb_device_t *d, const rb_tag_t *status, size_t count, uint32_t now_us)
{
    rb_device_poll(d, status, count, now_us);
}

void opened(rb_device_t *d, uint32_t now_us)
{
    rb_device_opened(d, now_us);
}

void closed(rb_device_t *d)
{
    rb_device_closed(d);
}
#endif
