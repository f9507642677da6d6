/*
 * A stethoscope of an ESP32 and a digital microphone (INMP441, ICS-43434) on I2S, which talks over a UART. ESP-IDF 5.
 *
 * The microphone runs at 8 kHz itself, the lowest rate that its data sheet gives (7.8 kHz), behind its own anti-alias
 * filter: nothing is decimated. SPDX-License-Identifier: Apache-2.0
 */
#include "bootloader_random.h"
#include "driver/gpio.h"
#include "driver/i2s_std.h"
#include "driver/uart.h"
#include "esp_adc/adc_oneshot.h"
#include "esp_random.h"
#include "esp_timer.h"
#include "respire_bridge.h"

#define RATE_HZ 8000 /* measure it: `respire-edge bridge monitor` shows the deviation; then declare what it says */
#define BLOCK 128    /* samples of a DMA buffer and of a frame: 16 ms */
#define PORT UART_NUM_1
#define BAUD 921600
#define LAMP GPIO_NUM_2

static volatile uint32_t blocks_overrun; /* counted by the interrupt, taken by the main task */
static rb_device_t device;
static i2s_chan_handle_t microphone;
static adc_oneshot_unit_handle_t battery;

/* The driver dropped its oldest buffer, because all were full. */
static bool on_overrun(i2s_chan_handle_t channel, i2s_event_data_t *event, void *context)
{
    (void)channel;
    (void)event;
    (void)context;
    blocks_overrun = blocks_overrun + 1;
    return false;
}

static uint32_t now_us(void)
{
    return (uint32_t)esp_timer_get_time();
}

/* All or nothing: uart_write_bytes would wait for room. */
static bool write_frame(void *context, const uint8_t *frame, size_t count)
{
    size_t room = 0;
    (void)context;
    return uart_get_tx_buffer_free_size(PORT, &room) == ESP_OK && room >= count &&
           uart_write_bytes(PORT, frame, count) == (int)count;
}

static void open_port(void)
{
    const uart_config_t config = {.baud_rate = BAUD, .data_bits = UART_DATA_8_BITS, .stop_bits = UART_STOP_BITS_1};
    ESP_ERROR_CHECK(uart_driver_install(PORT, 1024, 4096, 0, NULL, 0));
    ESP_ERROR_CHECK(uart_param_config(PORT, &config));
    ESP_ERROR_CHECK(uart_set_pin(PORT, 17, 16, UART_PIN_NO_CHANGE, UART_PIN_NO_CHANGE));
}

static void open_microphone(void)
{
    i2s_chan_config_t channel = I2S_CHANNEL_DEFAULT_CONFIG(I2S_NUM_AUTO, I2S_ROLE_MASTER);
    const i2s_std_config_t wires = {
        .clk_cfg = I2S_STD_CLK_DEFAULT_CONFIG(RATE_HZ),
        .slot_cfg = I2S_STD_PHILIPS_SLOT_DEFAULT_CONFIG(I2S_DATA_BIT_WIDTH_32BIT, I2S_SLOT_MODE_MONO),
        .gpio_cfg = {.mclk = I2S_GPIO_UNUSED, .bclk = 26, .ws = 25, .dout = I2S_GPIO_UNUSED, .din = 33},
    };
    const i2s_event_callbacks_t callbacks = {.on_recv_q_ovf = on_overrun};
    channel.dma_desc_num = 8;
    channel.dma_frame_num = BLOCK;
    ESP_ERROR_CHECK(i2s_new_channel(&channel, NULL, &microphone));
    ESP_ERROR_CHECK(i2s_channel_init_std_mode(microphone, &wires));
    ESP_ERROR_CHECK(i2s_channel_register_event_callback(microphone, &callbacks, NULL));
    ESP_ERROR_CHECK(i2s_channel_enable(microphone));
}

/* A lithium cell behind two equal resistors: 3.3 V is empty, 4.2 V is full. The converter reads 3.1 V as 4095. */
static uint8_t battery_percent(void)
{
    int read = 0;
    int millivolts;
    if (adc_oneshot_read(battery, ADC_CHANNEL_6, &read) != ESP_OK) {
        return 0;
    }
    millivolts = 2 * read * 3100 / 4095;
    return (uint8_t)(millivolts <= 3300 ? 0 : millivolts >= 4200 ? 100 : (millivolts - 3300) / 9);
}

/* The microphone's 24 bits stand in the upper part of 32. Breath is quiet: 12 dB above the upper 16 bits, clipped. */
static uint8_t pcm16_from_slots(const int32_t *slots, int16_t *samples)
{
    uint8_t flags = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        const int32_t sample = slots[i] >> 14;
        samples[i] = (int16_t)(sample > INT16_MAX ? INT16_MAX : sample < INT16_MIN ? INT16_MIN : sample);
        flags |= (uint8_t)(samples[i] != sample ? RB_FLAG_CLIPPED : 0);
    }
    return flags;
}

/* Light the lamp for crackle, wheeze or both; a refused window puts it out. */
static void show(const rb_frame_t *frame)
{
    rb_result_t result;
    if (rb_read_result(frame, &result)) {
        const bool found = result.label >= RB_LABEL_CRACKLE && result.label <= RB_LABEL_BOTH;
        gpio_set_level(LAMP, found ? 1 : 0);
    }
}

static void hear_host(void)
{
    uint8_t bytes[64];
    rb_frame_t frame;
    const int count = uart_read_bytes(PORT, bytes, sizeof bytes, 0);
    for (int i = 0; i < count; i++) {
        if (rb_device_receive(&device, bytes[i], now_us(), &frame)) {
            show(&frame);
        }
    }
}

static void send_block(void)
{
    static int32_t slots[BLOCK];
    static int16_t samples[BLOCK];
    static uint32_t told;
    size_t bytes = 0;
    if (i2s_channel_read(microphone, slots, sizeof slots, &bytes, 100) != ESP_OK || bytes != sizeof slots) {
        return;
    }
    for (const uint32_t overrun = blocks_overrun; told != overrun; told++) {
        rb_samples_lost(&device.encoder, BLOCK);
    }
    if (device.state == RB_STREAMING) {
        const uint8_t flags = pcm16_from_slots(slots, samples);
        (void)rb_send_pcm16(&device.encoder, samples, BLOCK, 1, flags, now_us());
    }
}

void app_main(void)
{
    static uint8_t out[RB_ENCODER_BYTES(2 * BLOCK)];
    static uint8_t in[RB_RECEIVER_BYTES(64)];
    static const rb_tag_t info[] = {
        RB_INFO_FIRMWARE("example 1"), RB_INFO_MODEL("esp32-i2s"), RB_INFO_MAX_PAYLOAD_BYTES(64)};
    const adc_oneshot_unit_init_cfg_t unit = {.unit_id = ADC_UNIT_1};
    const adc_oneshot_chan_cfg_t cell = {.atten = ADC_ATTEN_DB_12, .bitwidth = ADC_BITWIDTH_12};
    uint32_t boot_id;
    bootloader_random_enable(); /* makes esp_random random without a radio; must end before the ADC and I2S begin */
    boot_id = esp_random();
    bootloader_random_disable();
    ESP_ERROR_CHECK(adc_oneshot_new_unit(&unit, &battery));
    ESP_ERROR_CHECK(adc_oneshot_config_channel(battery, ADC_CHANNEL_6, &cell));
    gpio_set_direction(LAMP, GPIO_MODE_OUTPUT);
    open_port();
    open_microphone();
    rb_encoder_init(&device.encoder, out, sizeof out, write_frame, NULL);
    rb_receiver_init(&device.receiver, in, sizeof in);
    rb_device_init(&device, boot_id, RATE_HZ, info, sizeof info / sizeof info[0]);
    rb_device_opened(&device, now_us());
    for (;;) {
        const rb_tag_t status[] = {RB_STATUS_BATTERY_PERCENT(battery_percent())};
        hear_host();
        send_block();
        rb_device_poll(&device, status, 1, now_us());
    }
}
