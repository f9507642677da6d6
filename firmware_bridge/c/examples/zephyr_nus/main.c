/*
 * A stethoscope of an nRF52840 with a PDM microphone, over Bluetooth LE: the Nordic UART service of Zephyr 4.
 *
 * PDM at 1.032 MHz gives 32 MHz / 31 / 64 = 16129 Hz, not 16000; halved behind a filter that is 250000 / 31 = 8064.5
 * Hz, and this is what INFO says. prj.conf needs an MTU that holds a frame: CONFIG_BT_L2CAP_TX_MTU=247,
 * CONFIG_BT_BUF_ACL_TX_SIZE and _RX_SIZE=251, CONFIG_BT_CTLR_DATA_LENGTH_MAX=251. SPDX-License-Identifier: Apache-2.0
 */
#include <zephyr/audio/dmic.h>
#include <zephyr/bluetooth/bluetooth.h>
#include <zephyr/bluetooth/services/nus.h>
#include <zephyr/drivers/fuel_gauge.h>
#include <zephyr/drivers/gpio.h>
#include <zephyr/kernel.h>
#include <zephyr/random/random.h>

#include "../half_rate.h"
#include "respire_bridge.h"

#define FRAME 96 /* samples of a frame: with header, CRC and COBS it fits one notification of 244 bytes */
#define BLOCK (2 * FRAME)
#define RATE_NUMERATOR_HZ 250000
#define RATE_DENOMINATOR 31

K_MEM_SLAB_DEFINE_STATIC(blocks, BLOCK * sizeof(int16_t), 8, 4);
K_MSGQ_DEFINE(from_host, 1, 256, 1); /* the Bluetooth thread puts bytes, the main thread takes them */
K_MSGQ_DEFINE(subscribed, 1, 4, 1);  /* notifications were switched on (1) or off (0) */

static const struct bt_data name[] = {BT_DATA_BYTES(BT_DATA_FLAGS, (BT_LE_AD_GENERAL | BT_LE_AD_NO_BREDR)),
                                      BT_DATA(BT_DATA_NAME_COMPLETE, "stethoscope", 11)};
static const struct bt_data service[] = {BT_DATA_BYTES(BT_DATA_UUID128_ALL, BT_UUID_NUS_SRV_VAL)};
static const struct device *const microphone = DEVICE_DT_GET(DT_NODELABEL(dmic_dev));
static const struct device *const cell = DEVICE_DT_GET(DT_NODELABEL(fuel_gauge));
static const struct gpio_dt_spec lamp = GPIO_DT_SPEC_GET(DT_ALIAS(led0), gpios);
static rb_device_t device;

static uint32_t now_us(void)
{
    return (uint32_t)k_ticks_to_us_floor64(k_uptime_ticks());
}

static void on_subscribed(bool enabled, void *context)
{
    const uint8_t on = enabled;
    ARG_UNUSED(context);
    (void)k_msgq_put(&subscribed, &on, K_NO_WAIT);
}

/* What finds no room is lost as a damaged frame is: the host says it again. */
static void on_received(struct bt_conn *conn, const void *data, uint16_t count, void *context)
{
    ARG_UNUSED(conn);
    ARG_UNUSED(context);
    for (uint16_t i = 0; i < count; i++) {
        (void)k_msgq_put(&from_host, (const uint8_t *)data + i, K_NO_WAIT);
    }
}

/* A whole frame is one notification; it fails where the MTU is too small or no buffer is free. */
static bool write_frame(void *context, const uint8_t *frame, size_t count)
{
    ARG_UNUSED(context);
    return bt_nus_send(NULL, frame, (uint16_t)count) == 0;
}

/* Also when a connection has ended: a stethoscope that was carried away is found again. */
static void advertise(void)
{
    (void)bt_le_adv_start(BT_LE_ADV_CONN_FAST_1, name, ARRAY_SIZE(name), service, ARRAY_SIZE(service));
}

BT_CONN_CB_DEFINE(connection_callbacks) = {.recycled = advertise};

static void start_bluetooth(void)
{
    static struct bt_nus_cb callbacks = {.notif_enabled = on_subscribed, .received = on_received};
    if (bt_nus_cb_register(&callbacks, NULL) != 0 || bt_enable(NULL) != 0) {
        k_panic();
    }
    advertise();
}

static void start_microphone(void)
{
    struct pcm_stream_cfg stream = {
        .pcm_rate = 16000, .pcm_width = 16, .block_size = BLOCK * sizeof(int16_t), .mem_slab = &blocks};
    struct dmic_cfg config = {
        .io = {.min_pdm_clk_freq = 1000000, .max_pdm_clk_freq = 1050000, .min_pdm_clk_dc = 40, .max_pdm_clk_dc = 60},
        .streams = &stream,
        .channel = {.req_num_streams = 1, .req_num_chan = 1},
    };
    config.channel.req_chan_map_lo = dmic_build_channel_map(0, 0, PDM_CHAN_LEFT);
    if (dmic_configure(microphone, &config) < 0 || dmic_trigger(microphone, DMIC_TRIGGER_START) < 0) {
        k_panic();
    }
}

/* The driver stops where all its buffers are full. It starts again, and the clock says how many samples were lost. */
static void count_overrun(uint32_t last_us)
{
    const uint64_t lost_us = (uint32_t)(now_us() - last_us);
    (void)dmic_trigger(microphone, DMIC_TRIGGER_START);
    rb_samples_lost(&device.encoder, (uint32_t)(lost_us * RATE_NUMERATOR_HZ / RATE_DENOMINATOR / 1000000));
    (void)rb_send_log(&device.encoder, 4, "microphone restarted after an overrun", now_us());
}

static void send_block(void)
{
    static half_rate_t filter;
    static int16_t samples[FRAME];
    static uint32_t last_us; /* when the newest sample was taken that was sent or counted as lost */
    void *block;
    uint32_t bytes;
    const int failed = dmic_read(microphone, 0, &block, &bytes, 100);
    if (failed) {
        count_overrun(last_us);
    } else {
        half_rate(&filter, block, BLOCK, samples);
        k_mem_slab_free(&blocks, block);
    }
    last_us = now_us();
    if (!failed && device.state == RB_STREAMING) {
        (void)rb_send_pcm16(&device.encoder, samples, FRAME, 1, 0, last_us);
    }
}

static void hear_host(void)
{
    uint8_t byte;
    rb_frame_t frame;
    rb_result_t result;
    while (k_msgq_get(&subscribed, &byte, K_NO_WAIT) == 0) {
        if (byte) {
            rb_device_opened(&device, now_us());
        } else {
            rb_device_closed(&device);
        }
    }
    while (k_msgq_get(&from_host, &byte, K_NO_WAIT) == 0) {
        if (rb_device_receive(&device, byte, now_us(), &frame) && rb_read_result(&frame, &result)) {
            (void)gpio_pin_set_dt(&lamp, result.label >= RB_LABEL_CRACKLE && result.label <= RB_LABEL_BOTH);
        }
    }
}

int main(void)
{
    static uint8_t out[RB_ENCODER_BYTES(2 * FRAME)];
    static uint8_t in[RB_RECEIVER_BYTES(64)];
    static const rb_tag_t info[] = {RB_INFO_FIRMWARE("example 1"), RB_INFO_MODEL("nrf52840-pdm"),
                                    RB_INFO_RATE_DENOMINATOR(RATE_DENOMINATOR), RB_INFO_MAX_PAYLOAD_BYTES(64)};
    union fuel_gauge_prop_val charge = {.relative_state_of_charge = 0};
    rb_encoder_init(&device.encoder, out, sizeof out, write_frame, NULL);
    rb_receiver_init(&device.receiver, in, sizeof in);
    rb_device_init(&device, sys_rand32_get(), RATE_NUMERATOR_HZ, info, ARRAY_SIZE(info));
    (void)gpio_pin_configure_dt(&lamp, GPIO_OUTPUT_INACTIVE);
    start_microphone();
    start_bluetooth();
    for (;;) {
        (void)fuel_gauge_get_prop(cell, FUEL_GAUGE_RELATIVE_STATE_OF_CHARGE, &charge);
        const rb_tag_t status[] = {RB_STATUS_BATTERY_PERCENT(charge.relative_state_of_charge)};
        hear_host();
        send_block();
        rb_device_poll(&device, status, ARRAY_SIZE(status), now_us());
    }
}
