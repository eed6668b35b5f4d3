"""Risk profiles: rules that an authority offers to partners, who adopt them and report what their hits came to."""
