#pragma once
#include <alsa/asoundlib.h>

// The library prints what goes wrong on standard error unless it is given another place; Swift cannot make a variadic
// function, so the silent one is here.
static inline void calsa_discard(
    const char *file, int line, const char *function, int error, const char *format, ...) {
    (void)file, (void)line, (void)function, (void)error, (void)format;
}
static inline void calsa_hush(void) { snd_lib_error_set_handler(calsa_discard); }

// What a device was set to, in frames.
struct calsa_layout {
    snd_pcm_uframes_t period;
    snd_pcm_uframes_t buffer;
};

// Sets a device to interleaved 16-bit mono of one rate, with a period and a buffer (microseconds) as near as it can.
static inline int calsa_set_hardware(
    snd_pcm_t *pcm, unsigned rate, unsigned period_time, unsigned buffer_time, struct calsa_layout *layout) {
    snd_pcm_hw_params_t *params;
    snd_pcm_hw_params_alloca(&params);
    int result = snd_pcm_hw_params_any(pcm, params);
    if (result >= 0) result = snd_pcm_hw_params_set_rate_resample(pcm, params, 1);
    if (result >= 0) result = snd_pcm_hw_params_set_access(pcm, params, SND_PCM_ACCESS_RW_INTERLEAVED);
    if (result >= 0) result = snd_pcm_hw_params_set_format(pcm, params, SND_PCM_FORMAT_S16);
    if (result >= 0) result = snd_pcm_hw_params_set_channels(pcm, params, 1);
    if (result >= 0) result = snd_pcm_hw_params_set_rate(pcm, params, rate, 0);
    if (result >= 0) result = snd_pcm_hw_params_set_period_time_near(pcm, params, &period_time, NULL);
    if (result >= 0) result = snd_pcm_hw_params_set_buffer_time_near(pcm, params, &buffer_time, NULL);
    if (result >= 0) result = snd_pcm_hw_params(pcm, params);
    if (result >= 0) result = snd_pcm_hw_params_get_period_size(params, &layout->period, NULL);
    if (result >= 0) result = snd_pcm_hw_params_get_buffer_size(params, &layout->buffer);
    return result;
}

// Wakes the program once a period can be moved, and starts a device once `start` frames wait in it.
static inline int calsa_set_software(snd_pcm_t *pcm, snd_pcm_uframes_t period, snd_pcm_uframes_t start) {
    snd_pcm_sw_params_t *params;
    snd_pcm_sw_params_alloca(&params);
    int result = snd_pcm_sw_params_current(pcm, params);
    if (result >= 0) result = snd_pcm_sw_params_set_avail_min(pcm, params, period);
    if (result >= 0) result = snd_pcm_sw_params_set_start_threshold(pcm, params, start);
    if (result >= 0) result = snd_pcm_sw_params(pcm, params);
    return result;
}
