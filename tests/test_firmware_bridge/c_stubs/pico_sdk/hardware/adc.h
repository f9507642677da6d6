#pragma once
#include "pico/stdlib.h"
typedef struct {
    volatile uint32_t fifo;
} adc_hw_t;
extern adc_hw_t *const adc_hw;
void adc_init(void);
void adc_gpio_init(uint pin);
void adc_select_input(uint input);
void adc_fifo_setup(bool enable, bool dreq, uint16_t threshold, bool errors, bool shift);
void adc_set_clkdiv(float divider);
void adc_run(bool run);
