#pragma once
#include "driver/gpio.h"
#include "esp_err.h"
typedef struct i2s_channel *i2s_chan_handle_t;
typedef enum { I2S_NUM_0, I2S_NUM_AUTO = 2 } i2s_port_t;
typedef enum { I2S_ROLE_MASTER } i2s_role_t;
typedef enum { I2S_DATA_BIT_WIDTH_32BIT = 32 } i2s_data_bit_width_t;
typedef enum { I2S_SLOT_MODE_MONO = 1 } i2s_slot_mode_t;
typedef struct {
    void *dma_buf;
    size_t size;
} i2s_event_data_t;
typedef bool (*i2s_isr_callback_t)(i2s_chan_handle_t channel, i2s_event_data_t *event, void *context);
typedef struct {
    i2s_isr_callback_t on_recv, on_recv_q_ovf, on_sent, on_send_q_ovf;
} i2s_event_callbacks_t;
typedef struct {
    i2s_port_t id;
    i2s_role_t role;
    uint32_t dma_desc_num, dma_frame_num;
} i2s_chan_config_t;
typedef struct {
    uint32_t sample_rate_hz;
} i2s_std_clk_config_t;
typedef struct {
    i2s_data_bit_width_t data_bit_width;
    i2s_slot_mode_t slot_mode;
} i2s_std_slot_config_t;
typedef struct {
    gpio_num_t mclk, bclk, ws, dout, din;
} i2s_std_gpio_config_t;
typedef struct {
    i2s_std_clk_config_t clk_cfg;
    i2s_std_slot_config_t slot_cfg;
    i2s_std_gpio_config_t gpio_cfg;
} i2s_std_config_t;
#define I2S_GPIO_UNUSED GPIO_NUM_NC
#define I2S_CHANNEL_DEFAULT_CONFIG(number, which) {.id = (number), .role = (which), .dma_desc_num = 6, .dma_frame_num = 240}
#define I2S_STD_CLK_DEFAULT_CONFIG(rate) {.sample_rate_hz = (rate)}
#define I2S_STD_PHILIPS_SLOT_DEFAULT_CONFIG(bits, mode) {.data_bit_width = (bits), .slot_mode = (mode)}
esp_err_t i2s_new_channel(const i2s_chan_config_t *config, i2s_chan_handle_t *tx, i2s_chan_handle_t *rx);
esp_err_t i2s_channel_init_std_mode(i2s_chan_handle_t channel, const i2s_std_config_t *config);
esp_err_t i2s_channel_register_event_callback(i2s_chan_handle_t channel, const i2s_event_callbacks_t *callbacks,
                                              void *context);
esp_err_t i2s_channel_enable(i2s_chan_handle_t channel);
esp_err_t i2s_channel_read(i2s_chan_handle_t channel, void *bytes, size_t count, size_t *read, uint32_t timeout_ms);
