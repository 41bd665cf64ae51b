//! minichat at the keyboard: the client and the operator's console on a real
//! terminal, with an emulator as the eye.
