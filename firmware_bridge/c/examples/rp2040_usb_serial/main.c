/*
 * A stethoscope of an RP2040 (Raspberry Pi Pico) with a microphone's amplifier on ADC0, over USB serial. Pico SDK 2 and
 * TinyUSB.
 *
 * The ADC runs at 48 MHz / 3000 = 16 kHz behind an RC low-pass of about 5 kHz, and is halved behind a digital filter.
 * Two DMA channels fill two buffers in turn and start each other, so that no sample is missed while one is being read.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hardware/adc.h"
#include "hardware/dma.h"
#include "hardware/irq.h"
#include "pico/rand.h"
#include "pico/stdlib.h"
#include "tusb.h"

#include "../half_rate.h"
#include "respire_bridge.h"

#define RATE_HZ 8000
#define FRAME 128
#define BLOCK (2 * FRAME)
#define LAMP 25

#if CFG_TUD_CDC_TX_BUFSIZE < 1024
#error "CFG_TUD_CDC_TX_BUFSIZE in tusb_config.h must hold frames: 1024 or more; with 256 none would ever leave"
#endif

static uint16_t buffers[2][BLOCK];
static uint32_t blocks_taken;           /* by the main loop */
static volatile uint32_t blocks_filled; /* by DMA, counted by the interrupt; the buffers take turns from 0 on */
static rb_device_t device;

/* A channel has filled its buffer and started the other one; it shall fill the same one when its turn comes. */
static void on_block(void)
{
    const uint32_t buffer = blocks_filled % 2;
    dma_channel_acknowledge_irq0(buffer);
    dma_channel_set_write_addr(buffer, buffers[buffer], false);
    blocks_filled = blocks_filled + 1;
}

static void start_channel(uint32_t channel)
{
    dma_channel_config config = dma_channel_get_default_config(channel);
    channel_config_set_transfer_data_size(&config, DMA_SIZE_16);
    channel_config_set_read_increment(&config, false);
    channel_config_set_write_increment(&config, true);
    channel_config_set_dreq(&config, DREQ_ADC);
    channel_config_set_chain_to(&config, 1 - channel);
    dma_channel_claim(channel);
    dma_channel_configure(channel, &config, buffers[channel], &adc_hw->fifo, BLOCK, channel == 0);
    dma_channel_set_irq0_enabled(channel, true);
}

static void start_microphone(void)
{
    adc_init();
    adc_gpio_init(26);
    adc_select_input(0);
    adc_fifo_setup(true, true, 1, false, false);
    adc_set_clkdiv(3000 - 1);
    irq_set_exclusive_handler(DMA_IRQ_0, on_block);
    irq_set_enabled(DMA_IRQ_0, true);
    start_channel(1);
    start_channel(0);
    adc_run(true);
}

static uint32_t now_us(void)
{
    return time_us_32();
}

/* All or nothing: tud_cdc_write takes what fits, and half a frame is worth less than none. */
static bool write_frame(void *context, const uint8_t *frame, size_t count)
{
    (void)context;
    if (!tud_cdc_connected() || tud_cdc_write_available() < count) {
        return false;
    }
    (void)tud_cdc_write(frame, (uint32_t)count);
    (void)tud_cdc_write_flush();
    return true;
}

/* 12 bits about their middle become 16; the ADC's ends are clipped sound. */
static uint8_t pcm16_from_adc(const uint16_t *read, int16_t *samples)
{
    uint8_t flags = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        samples[i] = (int16_t)(((int32_t)(read[i] & 0xFFF) - 2048) * 16);
        flags |= (uint8_t)(read[i] == 0 || read[i] >= 4095 ? RB_FLAG_CLIPPED : 0);
    }
    return flags;
}

static void send_block(void)
{
    static half_rate_t filter;
    static int16_t samples[BLOCK];
    const uint32_t filled = blocks_filled;
    uint8_t flags;
    if (filled == blocks_taken) {
        return;
    }
    for (; filled - blocks_taken > 1; blocks_taken++) { /* overwritten before they were read */
        rb_samples_lost(&device.encoder, FRAME);
    }
    flags = pcm16_from_adc(buffers[(filled - 1) % 2], samples);
    if (blocks_filled != filled) {
        return; /* overtaken while it was copied; counted the next time */
    }
    blocks_taken = filled;
    half_rate(&filter, samples, BLOCK, samples);
    if (device.state == RB_STREAMING) {
        (void)rb_send_pcm16(&device.encoder, samples, FRAME, 1, flags, now_us());
    }
}

/* The host sets DTR when it opens the port. */
static void watch_port(void)
{
    static bool was_open;
    const bool open = tud_cdc_connected();
    if (open && !was_open) {
        rb_device_opened(&device, now_us());
    } else if (!open && was_open) {
        rb_device_closed(&device);
    }
    was_open = open;
}

static void hear_host(void)
{
    uint8_t bytes[64];
    rb_frame_t frame;
    rb_result_t result;
    const uint32_t count = tud_cdc_available() ? tud_cdc_read(bytes, sizeof bytes) : 0;
    for (uint32_t i = 0; i < count; i++) {
        if (rb_device_receive(&device, bytes[i], now_us(), &frame) && rb_read_result(&frame, &result)) {
            gpio_put(LAMP, result.label >= RB_LABEL_CRACKLE && result.label <= RB_LABEL_BOTH);
        }
    }
}

int main(void)
{
    static uint8_t out[RB_ENCODER_BYTES(2 * FRAME)];
    static uint8_t in[RB_RECEIVER_BYTES(64)];
    static const rb_tag_t info[] = {RB_INFO_FIRMWARE("example 1"), RB_INFO_MODEL("rp2040-adc"), RB_INFO_BITS(12),
                                    RB_INFO_MAX_PAYLOAD_BYTES(64)};
    rb_encoder_init(&device.encoder, out, sizeof out, write_frame, NULL);
    rb_receiver_init(&device.receiver, in, sizeof in);
    rb_device_init(&device, get_rand_32(), RATE_HZ, info, sizeof info / sizeof info[0]);
    gpio_init(LAMP);
    gpio_set_dir(LAMP, true);
    tusb_init();
    start_microphone();
    for (;;) {
        /* On USB there is no battery: STATUS leaves it out and says how full the port's buffer is. */
        const uint32_t used = CFG_TUD_CDC_TX_BUFSIZE - tud_cdc_write_available();
        const rb_tag_t status[] = {RB_STATUS_BUFFER_PERCENT(100 * used / CFG_TUD_CDC_TX_BUFSIZE)};
        tud_task();
        watch_port();
        hear_host();
        send_block();
        rb_device_poll(&device, status, 1, now_us());
    }
}
